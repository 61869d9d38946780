//! One record read from Kafka, as commands see it: an event, or what it is instead; and the one
//! JSON line that stands for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers as _};
use serde_json::{Map, Value};
use tidings::cloudevents::{CloudEvent, NotAnEvent, Record};
use tidings::{Offset, PartitionId};

/// The `type` of the JSON line of a record that is no event.
const NO_EVENT_TYPE: &str = "dev.tidings.record";

/// A record, and what it was read as.
pub struct Seen {
    /// The bytes as they came.
    pub record: Record,
    /// The event, or the reason why it is none.
    pub event: Result<CloudEvent, NotAnEvent>,
}

impl Seen {
    /// Copies a message and reads it as an event.
    pub fn of(message: &BorrowedMessage<'_>) -> Self {
        let record = record(message);
        let event = CloudEvent::from_record(&record);
        Self { record, event }
    }

    /// One line of JSON: the CloudEvent with its place in Kafka as extension attributes.
    pub fn json_line(&self) -> String {
        match &self.event {
            Ok(event) => {
                let mut placed = event.clone();
                placed.extensions.extend(self.place());
                placed.to_json_string()
            }
            Err(reason) => self.no_event_line(reason),
        }
    }

    /// The extension attributes that say where the record lies.
    fn place(&self) -> Vec<(String, String)> {
        let record = &self.record;
        let mut place = vec![
            ("kafkatopic".to_owned(), record.topic.clone()),
            ("kafkapartition".to_owned(), record.partition.to_string()),
            ("kafkaoffset".to_owned(), record.offset.to_string()),
        ];
        if let Some(key) = &record.key {
            place.push(("kafkakey".to_owned(), String::from_utf8_lossy(key).into_owned()));
        }
        if let Some(time) = timestamp(record) {
            place.push(("kafkatimestamp".to_owned(), time.to_string()));
        }
        place
    }

    fn no_event_line(&self, reason: &NotAnEvent) -> String {
        let record = &self.record;
        let mut line = Map::new();
        line.insert("specversion".to_owned(), "1.0".into());
        line.insert("id".to_owned(), record.address().to_string().into());
        line.insert("source".to_owned(), format!("urn:kafka:{}", record.topic).into());
        line.insert("type".to_owned(), NO_EVENT_TYPE.into());
        if let Some(time) = timestamp(record) {
            line.insert("time".to_owned(), time.to_string().into());
        }
        line.insert("reason".to_owned(), reason.to_string().into());
        line.extend(self.place().into_iter().map(|(name, value)| (name, Value::String(value))));
        if let Some(value) = &record.value {
            line.insert("data_base64".to_owned(), STANDARD.encode(value).into());
        }
        Value::Object(line).to_string()
    }
}

/// When the record was written, by its own account.
pub fn timestamp(record: &Record) -> Option<Timestamp> {
    Timestamp::from_millisecond(record.timestamp_ms?).ok()
}

/// Whether a message can be the event with this id, told by its headers alone: a scan for one event
/// copies nothing of the others.
pub fn may_have_id(message: &BorrowedMessage<'_>, id: &str) -> bool {
    let Some(headers) = message.headers() else { return false };
    let mut has_id = false;
    for header in headers.iter() {
        let value = header.value.unwrap_or_default();
        if header.key.eq_ignore_ascii_case("ce_id") {
            has_id |= value == id.as_bytes();
        } else if header.key.eq_ignore_ascii_case("content-type") && is_structured(value) {
            // The id is in the value.
            return true;
        }
    }
    has_id
}

fn is_structured(content_type: &[u8]) -> bool {
    const STRUCTURED: &[u8] = b"application/cloudevents";
    content_type.get(..STRUCTURED.len()).is_some_and(|start| start.eq_ignore_ascii_case(STRUCTURED))
}

/// Copies what librdkafka lends.
pub fn record(message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map(|headers| {
        let copy = |value: &[u8]| Bytes::copy_from_slice(value);
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(copy))).collect()
    });
    Record {
        topic: message.topic().to_owned(),
        partition: PartitionId(message.partition()),
        offset: Offset(message.offset()),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers: headers.unwrap_or_default(),
    }
}

/// A type without the reverse domain before it and the version behind it:
/// `com.example.order.placed.v1` is `order.placed` to people.
pub fn short_type(ty: &str) -> &str {
    let stem = match ty.rsplit_once(".v") {
        Some((stem, version))
            if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) =>
        {
            stem
        }
        _ => ty,
    };
    match stem.rmatch_indices('.').nth(1) {
        Some((dot, _)) => &stem[dot + 1..],
        None => stem,
    }
}

/// Whether `--type` means this type: in full, without its version, or as people see it.
pub fn is_type(ty: &str, asked: &str) -> bool {
    ty == asked
        || short_type(ty) == asked
        || ty
            .strip_prefix(asked)
            .and_then(|rest| rest.strip_prefix(".v"))
            .is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit()))
}

/// The service that published it: its source without the leading slash.
pub fn service(source: &str) -> &str {
    source.strip_prefix('/').filter(|rest| !rest.is_empty()).unwrap_or(source)
}

/// A key as people give it: `VALUE` is the record's key, `NAME=VALUE` the subject `NAME/VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The record's key.
    Record(String),
    /// The event's subject, `name/value`.
    Subject(String),
}

impl Key {
    /// Reads the flag's value.
    pub fn parse(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Self::Subject(format!("{name}/{value}")),
            _ => Self::Record(text.to_owned()),
        }
    }

    /// Whether a record, or the event in it, has this key.
    pub fn matches(&self, record_key: Option<&[u8]>, subject: Option<&str>) -> bool {
        match self {
            Self::Record(key) => record_key == Some(key.as_bytes()),
            Self::Subject(asked) => subject == Some(asked.as_str()),
        }
    }

    /// `order 1042`, or `key 1042`.
    pub fn title(&self) -> String {
        match self {
            Self::Record(key) => format!("key {key}"),
            Self::Subject(subject) => subject.replacen('/', " ", 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_short_for_people() {
        for (ty, short) in [
            ("com.example.order.placed.v1", "order.placed"),
            ("order.placed.v12", "order.placed"),
            ("order.placed", "order.placed"),
            ("placed", "placed"),
            ("com.example.over.view", "over.view"),
            ("a.b.vx", "b.vx"),
        ] {
            assert_eq!(short_type(ty), short, "{ty}");
        }
    }

    #[test]
    fn a_type_may_be_asked_for_in_full_or_short() {
        let ty = "com.example.order.placed.v1";
        for (asked, yes) in [
            (ty, true),
            ("com.example.order.placed", true),
            ("order.placed", true),
            ("placed", false),
            ("com.example.order", false),
            ("com.example.order.placed.v2", false),
        ] {
            assert_eq!(is_type(ty, asked), yes, "{asked}");
        }
    }

    #[test]
    fn keys_are_the_records_or_the_subjects() {
        assert_eq!(Key::parse("1042"), Key::Record("1042".to_owned()));
        assert_eq!(Key::parse("order=1042"), Key::Subject("order/1042".to_owned()));
        assert_eq!(Key::parse("=x"), Key::Record("=x".to_owned()));
        assert!(Key::parse("order=1042").matches(None, Some("order/1042")));
        assert!(!Key::parse("1042").matches(None, Some("order/1042")));
        assert_eq!(Key::parse("order=1042").title(), "order 1042");
    }

    #[test]
    fn a_record_that_is_no_event_is_shown_as_what_it_is() {
        let record = Record {
            topic: "orders".to_owned(),
            partition: PartitionId(3),
            offset: Offset(401),
            timestamp_ms: Some(0),
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::from_static(b"\xff\x00")),
            ..Record::default()
        };
        let event = CloudEvent::from_record(&record);
        let line: Value = serde_json::from_str(&Seen { record, event }.json_line()).expect("JSON");
        assert_eq!(line["type"], "dev.tidings.record");
        assert_eq!(line["id"], "orders[3]@401");
        assert_eq!(line["data_base64"], "/wA=");
        assert_eq!(line["kafkapartition"], "3");
        assert_eq!(line["kafkatimestamp"], "1970-01-01T00:00:00Z");
    }
}
