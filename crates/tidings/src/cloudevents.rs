//! CloudEvents 1.0 on Kafka: what an event looks like on the wire, ours and other people's
//! (docs/formats/event.md).
//!
//! Sources: CloudEvents core specification 1.0.2, its Kafka protocol binding and its JSON event
//! format. Binary mode is written; binary and structured mode are read. What this module does not
//! know, it keeps: attributes and headers survive reading and publishing again as they came.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::address::{Offset, PartitionId, RecordAddress};
use crate::ids::EventId;
use crate::time::Timestamp;

mod attributes;
mod binary;
mod json;
mod not_an_event;

pub use attributes::{InvalidAttribute, check_extension};
pub(crate) use binary::each_attribute;
pub use json::InvalidJson;
pub use not_an_event::NotAnEvent;

/// A record's headers in their order; Kafka allows a name more than once, and null values.
pub type Headers = Vec<(String, Option<Bytes>)>;

/// The `content-type` of events in structured mode.
pub const STRUCTURED_CONTENT_TYPE: &str = "application/cloudevents+json; charset=UTF-8";

/// A record as it lies in Kafka.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: PartitionId,
    /// The offset within the partition.
    pub offset: Offset,
    /// Milliseconds since 1970, when the record has a time.
    pub timestamp_ms: Option<i64>,
    /// The key; none is another key than an empty one.
    pub key: Option<Bytes>,
    /// The value; none is a tombstone.
    pub value: Option<Bytes>,
    /// The headers in their order.
    pub headers: Headers,
}

/// An event of any type and origin.
///
/// ```
/// use tidings::cloudevents::{CloudEvent, Record};
///
/// // What kcat or a Python service wrote with headers.
/// let record = Record {
///     topic: "orders".into(),
///     value: Some(r#"{"order_id":"1042"}"#.into()),
///     headers: vec![
///         ("ce_specversion".into(), Some("1.0".into())),
///         ("ce_id".into(), Some("a-1".into())),
///         ("ce_source".into(), Some("/python".into())),
///         ("ce_type".into(), Some("com.example.order.placed.v1".into())),
///         ("content-type".into(), Some("application/json".into())),
///         ("shop".into(), Some("Hamburg".into())),
///     ],
///     ..Record::default()
/// };
/// let event = CloudEvent::from_record(&record)?;
/// assert_eq!(event.ty, "com.example.order.placed.v1");
/// assert_eq!(event.header_text("shop"), Some("Hamburg"));
/// # Ok::<(), tidings::cloudevents::NotAnEvent>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudEvent {
    /// Unique together with the source.
    pub id: EventId,
    /// Who published it: a URI reference, `/service` for ours.
    pub source: String,
    /// The type with its version, such as `com.example.order.placed.v1`.
    pub ty: String,
    /// What the event is about, within its source.
    pub subject: Option<String>,
    /// When it happened, RFC 3339, as it was written; see [`CloudEvent::timestamp`].
    pub time: Option<String>,
    /// The data's media type; JSON for ours.
    pub datacontenttype: Option<String>,
    /// Where the data's schema is.
    pub dataschema: Option<String>,
    /// All other attributes.
    pub extensions: BTreeMap<String, String>,
    /// The data; none in binary mode is a tombstone.
    pub data: Option<Bytes>,
    /// The record's headers that are no attributes, as they came.
    pub headers: Headers,
}

impl Record {
    /// Where it lies: `topic[partition]@offset`.
    pub fn address(&self) -> RecordAddress {
        RecordAddress { topic: self.topic.clone(), partition: self.partition, offset: self.offset }
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        find(&self.headers, name)
    }
}

impl CloudEvent {
    /// Reads an event in binary or structured mode; the error says why a record is no event.
    ///
    /// Names are met in any case. A header that comes twice counts the first time; the second is
    /// kept among [`headers`](CloudEvent::headers).
    pub fn from_record(record: &Record) -> Result<CloudEvent, NotAnEvent> {
        let content_type = record.header("content-type").and_then(|v| std::str::from_utf8(v).ok());
        match content_type.map(json::Mode::of).unwrap_or(json::Mode::Binary) {
            json::Mode::Binary => binary::read(record),
            json::Mode::Structured => json::read_record(record),
            json::Mode::Batch => Err(NotAnEvent::Batch),
            // The binding allows passing an unknown format on as binary mode; without attributes
            // in headers nothing would be known of it.
            json::Mode::Unknown(format) => binary::read(record).map_err(|error| match error {
                NotAnEvent::NoAttributes => NotAnEvent::UnknownFormat { format },
                other => other,
            }),
        }
    }

    /// The headers of binary mode: attributes first, then what is not CloudEvents.
    pub fn to_headers(&self) -> Headers {
        binary::headers(self)
    }

    /// Reads the JSON event format: `data` or `data_base64`.
    pub fn from_json(text: &str) -> Result<CloudEvent, InvalidJson> {
        json::parse(text.as_bytes())
    }

    /// The JSON event format: `data` where the data is JSON, else `data_base64`.
    ///
    /// Attributes that others wrote as numbers or booleans are texts here, as binary mode has no
    /// types. [`to_json_string`](CloudEvent::to_json_string) keeps the data byte for byte.
    pub fn to_json(&self) -> serde_json::Value {
        json::value(self)
    }

    /// The JSON event format in one line, with JSON data as it came.
    pub fn to_json_string(&self) -> String {
        json::text(self)
    }

    /// When it happened, if `time` is a time.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.time.as_deref()?.parse().ok()
    }

    /// When it was first published, else when it happened.
    pub fn recorded_at(&self) -> Option<Timestamp> {
        let recorded = self.extensions.get(RECORDED_TIME).and_then(|t| t.parse().ok());
        recorded.or_else(|| self.timestamp())
    }

    /// What everything that one root event caused has in common; a root's own id for a root.
    pub fn correlation_id(&self) -> &str {
        self.extensions.get(CORRELATION_ID).map_or(self.id.as_str(), String::as_str)
    }

    /// The id of the event that directly caused this one.
    pub fn causation_id(&self) -> Option<&str> {
        self.extensions.get(CAUSATION_ID).map(String::as_str)
    }

    /// The first header of this name that is no attribute.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        find(&self.headers, name)
    }

    /// The same as text, if it is UTF-8.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.header(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Is the data declared to be JSON? Events that declare nothing count as JSON.
    pub fn has_json_data(&self) -> bool {
        self.datacontenttype.as_deref().is_none_or(attributes::is_json)
    }
}

/// The extension that all events of one business process share.
pub const CORRELATION_ID: &str = "correlationid";
/// The extension that holds the direct cause's id.
pub const CAUSATION_ID: &str = "causationid";
/// The extension that says when the event was first published.
pub const RECORDED_TIME: &str = "recordedtime";

fn find<'a>(headers: &'a Headers, name: &str) -> Option<&'a [u8]> {
    let (_, value) = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
    value.as_deref()
}

#[cfg(test)]
mod tests;
