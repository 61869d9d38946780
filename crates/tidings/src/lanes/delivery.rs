//! A record on its way to its handlers, in the form that costs least: one slice of a buffer that
//! it shares with the records fetched beside it. `Record` and `CloudEvent` are made from it only
//! for those who ask.

use std::ops::Range;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::address::{Offset, PartitionId, RecordAddress};
use crate::cloudevents::Record;
use crate::lanes::place::Place;
use crate::trace::{self, TraceContext};

/// Marks a null key, value or header value in place of a length.
const NULL: u32 = u32::MAX;

/// A record within its partition. Cloning copies no bytes.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// Key, value, then per header: two lengths (little endian), name, value.
    bytes: Bytes,
    key_len: u32,
    value_len: u32,
    header_count: u32,
    /// Where `ce_type`'s value lies in `bytes`, when the record is an event in binary mode with
    /// all required attributes under their usual names. Otherwise the slow way has to judge.
    plain_type: Option<(u32, u32)>,
    pub(crate) offset: i64,
    /// Milliseconds since 1970; negative when the record has no time.
    pub(crate) timestamp_ms: i64,
    pub(crate) place: Arc<Place>,
}

/// Copies records into one buffer, and then cuts it into deliveries.
#[derive(Default)]
pub(crate) struct Packer {
    buffer: BytesMut,
    packed: Vec<Packed>,
}

/// A delivery whose bytes are still in the common buffer.
struct Packed {
    start: usize,
    end: usize,
    key_len: u32,
    value_len: u32,
    header_count: u32,
    plain_type: Option<(u32, u32)>,
    offset: i64,
    timestamp_ms: i64,
}

/// A fetched record, borrowed from wherever it is.
pub(crate) struct Fetched<'a, H> {
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: H,
}

impl Packer {
    /// Copies one record.
    pub(crate) fn push<'a, H>(&mut self, record: Fetched<'a, H>)
    where
        H: Iterator<Item = (&'a str, Option<&'a [u8]>)>,
    {
        let start = self.buffer.len();
        let mut packed = Packed {
            start,
            end: start,
            key_len: self.put(record.key),
            value_len: self.put(record.value),
            header_count: 0,
            plain_type: None,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
        };
        let mut envelope = Envelope::default();
        for (name, value) in record.headers {
            packed.header_count += 1;
            self.buffer.put_u32_le(name.len() as u32);
            self.buffer.put_u32_le(value.map_or(NULL, |value| value.len() as u32));
            self.buffer.put_slice(name.as_bytes());
            let at = (self.buffer.len() - start) as u32;
            self.buffer.put_slice(value.unwrap_or_default());
            envelope.see(name, value, at);
        }
        packed.plain_type = envelope.plain_type();
        packed.end = self.buffer.len();
        self.packed.push(packed);
    }

    fn put(&mut self, bytes: Option<&[u8]>) -> u32 {
        self.buffer.put_slice(bytes.unwrap_or_default());
        bytes.map_or(NULL, |bytes| bytes.len() as u32)
    }

    /// The end of what is packed, to come back to.
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.packed.len(), self.buffer.len())
    }

    /// Forgets what was packed after the mark, a record that was cut short included.
    pub(crate) fn rewind(&mut self, (records, bytes): (usize, usize)) {
        self.packed.truncate(records);
        self.buffer.truncate(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.packed.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Everything packed since the last call, in order.
    pub(crate) fn take(&mut self, place: &Arc<Place>) -> impl Iterator<Item = Delivery> {
        let bytes = self.buffer.split().freeze();
        self.packed.drain(..).map(move |packed| Delivery {
            bytes: bytes.slice(packed.start..packed.end),
            key_len: packed.key_len,
            value_len: packed.value_len,
            header_count: packed.header_count,
            plain_type: packed.plain_type,
            offset: packed.offset,
            timestamp_ms: packed.timestamp_ms,
            place: Arc::clone(place),
        })
    }
}

impl Delivery {
    /// A delivery of its own, for one record.
    pub(crate) fn of(record: &Record) -> Delivery {
        let mut packer = Packer::default();
        packer.push(Fetched {
            offset: record.offset.0,
            timestamp_ms: record.timestamp_ms.unwrap_or(-1),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())),
        });
        let topic = record.topic.as_str().into();
        let place = Arc::new(Place::new(topic, record.partition.0, 0));
        packer.take(&place).next().expect("one record was packed")
    }

    /// The type on the wire, if this is plainly an event in binary mode.
    pub(crate) fn plain_type(&self) -> Option<&str> {
        let (at, len) = self.plain_type?;
        std::str::from_utf8(&self.bytes[at as usize..(at + len) as usize]).ok()
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        (self.key_len != NULL).then(|| &self.bytes[..self.key_len as usize])
    }

    pub(crate) fn value(&self) -> Option<&[u8]> {
        let start = self.value_start();
        (self.value_len != NULL).then(|| &self.bytes[start..start + self.value_len as usize])
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn address(&self) -> RecordAddress {
        RecordAddress {
            topic: self.place.topic.to_string(),
            partition: PartitionId(self.place.partition),
            offset: Offset(self.offset),
        }
    }

    /// The record as the public interface knows it.
    pub(crate) fn record(&self) -> Record {
        let value_start = self.value_start();
        Record {
            topic: self.place.topic.to_string(),
            partition: PartitionId(self.place.partition),
            offset: Offset(self.offset),
            timestamp_ms: (self.timestamp_ms >= 0).then_some(self.timestamp_ms),
            key: (self.key_len != NULL).then(|| self.bytes.slice(..self.key_len as usize)),
            value: (self.value_len != NULL)
                .then(|| self.bytes.slice(value_start..value_start + self.value_len as usize)),
            headers: self.headers(),
        }
    }

    /// The text of the first header of this name, written exactly so.
    pub(crate) fn header_text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.each_header().find(|(found, _)| *found == name.as_bytes())?;
        std::str::from_utf8(&self.bytes[value?]).ok()
    }

    /// The trace that an event in binary mode belongs to, by the hop's headers under their usual
    /// names, else by where the event was created. The whole envelope is not read for it.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        let text = |name| self.header_text(name);
        let hop = text(trace::TRACEPARENT).and_then(|parent| parent.parse().ok());
        let (parent, state) = match hop {
            Some(parent) => (parent, text(trace::TRACESTATE)),
            None => (text("ce_traceparent")?.parse().ok()?, text("ce_tracestate")),
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(TraceContext { parent, state: owned(state), baggage: owned(text(trace::BAGGAGE)) })
    }

    fn headers(&self) -> Vec<(String, Option<Bytes>)> {
        let owned = |(name, value): (&[u8], Option<Range<usize>>)| {
            let name = String::from_utf8_lossy(name).into_owned();
            (name, value.map(|value| self.bytes.slice(value)))
        };
        self.each_header().map(owned).collect()
    }

    /// Names, and where the values lie.
    fn each_header(&self) -> impl Iterator<Item = (&[u8], Option<Range<usize>>)> {
        let mut at = self.value_start() + present(self.value_len);
        (0..self.header_count).map(move |_| {
            let (name_len, value_len) = (self.u32_at(at), self.u32_at(at + 4));
            let name_at = at + 8;
            let value_at = name_at + name_len as usize;
            at = value_at + present(value_len);
            (&self.bytes[name_at..value_at], (value_len != NULL).then_some(value_at..at))
        })
    }

    fn value_start(&self) -> usize {
        present(self.key_len)
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().expect("a slice of four bytes"))
    }
}

fn present(len: u32) -> usize {
    if len == NULL { 0 } else { len as usize }
}

/// What one pass over the headers finds out: is this plainly an event?
#[derive(Default)]
struct Envelope {
    ty: Option<(u32, u32)>,
    id: bool,
    source: bool,
    spec_version: bool,
    doubtful: bool,
}

impl Envelope {
    fn see(&mut self, name: &str, value: Option<&[u8]>, at: u32) {
        let filled =
            || value.is_some_and(|value| std::str::from_utf8(value).is_ok_and(|v| !v.is_empty()));
        match name {
            "ce_type" if self.ty.is_none() && filled() => {
                self.ty = value.map(|value| (at, value.len() as u32));
            }
            "ce_id" => self.id = filled(),
            "ce_source" => self.source = filled(),
            "ce_specversion" => self.spec_version = value == Some(b"1.0"),
            "content-type" => {
                // Structured mode, or a batch: CloudEvents' own media types.
                let own = b"application/cloudevents";
                self.doubtful |= value.is_some_and(|value| {
                    value.get(..own.len()).is_some_and(|head| head.eq_ignore_ascii_case(own))
                });
            }
            _ => self.doubtful |= name.eq_ignore_ascii_case("content-type"),
        }
    }

    fn plain_type(&self) -> Option<(u32, u32)> {
        let whole = self.id && self.source && self.spec_version && !self.doubtful;
        self.ty.filter(|_| whole)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Option<Bytes>> {
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from))
    }

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was(
            key in bytes(), value in bytes(), timestamp_ms in proptest::option::of(0i64..1 << 40),
            headers in proptest::collection::vec((".{0,8}", bytes()), 0..8),
            offset in 0i64..1 << 40,
        ) {
            let record = Record {
                topic: "orders".into(), partition: PartitionId(3), offset: Offset(offset),
                timestamp_ms, key, value, headers,
            };
            prop_assert_eq!(Delivery::of(&record).record(), record);
        }
    }

    fn with(headers: &[(&str, &str)]) -> Record {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Some(Bytes::from((*value).to_owned()))));
        Record { headers: headers.collect(), value: Some("{}".into()), ..Record::default() }
    }

    #[test]
    fn only_a_whole_envelope_in_binary_mode_is_plain() {
        let whole = [
            ("ce_specversion", "1.0"),
            ("ce_id", "1"),
            ("ce_source", "/a"),
            ("ce_type", "order.placed.v1"),
            ("content-type", "application/json"),
        ];
        assert_eq!(Delivery::of(&with(&whole)).plain_type(), Some("order.placed.v1"));
        for missing in 0..4 {
            let mut part = whole.to_vec();
            part.remove(missing);
            assert_eq!(Delivery::of(&with(&part)).plain_type(), None, "without {part:?}");
        }
        for structured in ["application/cloudevents+json", "Application/CloudEvents+avro"] {
            let mut headers = whole.to_vec();
            headers[4].1 = structured;
            assert_eq!(Delivery::of(&with(&headers)).plain_type(), None, "{structured}");
        }
    }
}
