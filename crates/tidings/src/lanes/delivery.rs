//! A record on its way to its handlers, in the form that costs least: a place in a pack that it
//! shares with the records fetched beside it. `Record` and `CloudEvent` are made from it only for
//! those who ask.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::pack::{Fetched, NULL, Pack, Packed, Packer};
use crate::address::{Offset, PartitionId, RecordAddress};
use crate::cloudevents::Record;
use crate::lanes::place::Place;
use crate::trace::{self, TraceContext};

/// A record within its partition. Cloning copies no bytes.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pack: Arc<Pack>,
    index: u32,
}

impl Delivery {
    /// A delivery of its own, for one record.
    pub(crate) fn of(record: &Record) -> Delivery {
        let topic = record.topic.as_str().into();
        let place = Arc::new(Place::new(topic, record.partition.0, 0));
        let mut packer = Packer::default();
        let fetched = Fetched {
            offset: record.offset.0,
            timestamp_ms: record.timestamp_ms.unwrap_or(-1),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())),
        };
        packer.push(&place, 0, fetched);
        Delivery::new(packer.take().expect("one record was packed"), 0)
    }

    pub(super) fn new(pack: Arc<Pack>, index: u32) -> Delivery {
        Delivery { pack, index }
    }

    fn packed(&self) -> &Packed {
        &self.pack.records[self.index as usize]
    }

    /// Its part of the common buffer.
    fn bytes(&self) -> &[u8] {
        let packed = self.packed();
        &self.pack.bytes[packed.start..packed.end]
    }

    /// A part of it that lives as long as somebody holds it.
    fn share(&self, part: Range<usize>) -> Bytes {
        let start = self.packed().start;
        self.pack.bytes.slice(start + part.start..start + part.end)
    }

    pub(crate) fn place(&self) -> &Arc<Place> {
        self.pack.place(self.packed())
    }

    pub(crate) fn offset(&self) -> i64 {
        self.packed().offset
    }

    /// What decides its lane, besides the handler.
    pub(crate) fn lane_seed(&self) -> u64 {
        self.packed().lane_seed
    }

    /// The type on the wire, if this is plainly an event in binary mode.
    pub(crate) fn plain_type(&self) -> Option<&str> {
        let (at, len) = self.packed().plain_type?;
        std::str::from_utf8(&self.bytes()[at as usize..(at + len) as usize]).ok()
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        let len = self.packed().key_len;
        (len != NULL).then(|| &self.bytes()[..len as usize])
    }

    pub(crate) fn value(&self) -> Option<&[u8]> {
        let (start, len) = (self.value_start(), self.packed().value_len);
        (len != NULL).then(|| &self.bytes()[start..start + len as usize])
    }

    pub(crate) fn size(&self) -> usize {
        self.packed().end - self.packed().start
    }

    pub(crate) fn address(&self) -> RecordAddress {
        RecordAddress {
            topic: self.place().topic.to_string(),
            partition: PartitionId(self.place().partition),
            offset: Offset(self.offset()),
        }
    }

    /// The record as the public interface knows it.
    pub(crate) fn record(&self) -> Record {
        let (packed, start) = (self.packed(), self.value_start());
        let (key_len, value_len) = (packed.key_len, packed.value_len);
        Record {
            topic: self.place().topic.to_string(),
            partition: PartitionId(self.place().partition),
            offset: Offset(packed.offset),
            timestamp_ms: (packed.timestamp_ms >= 0).then_some(packed.timestamp_ms),
            key: (key_len != NULL).then(|| self.share(0..key_len as usize)),
            value: (value_len != NULL).then(|| self.share(start..start + value_len as usize)),
            headers: self.headers(),
        }
    }

    /// The text of the first header of this name, written exactly so.
    pub(crate) fn header_text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.each_header().find(|(found, _)| *found == name.as_bytes())?;
        std::str::from_utf8(&self.bytes()[value?]).ok()
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
            (name, value.map(|value| self.share(value)))
        };
        self.each_header().map(owned).collect()
    }

    /// Names, and where the values lie.
    fn each_header(&self) -> impl Iterator<Item = (&[u8], Option<Range<usize>>)> {
        let (bytes, packed) = (self.bytes(), self.packed());
        let u32_at = |at: usize| {
            u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a slice of four bytes"))
        };
        let mut at = self.value_start() + present(packed.value_len);
        (0..packed.header_count).map(move |_| {
            let (name_len, value_len) = (u32_at(at), u32_at(at + 4));
            let name_at = at + 8;
            let value_at = name_at + name_len as usize;
            at = value_at + present(value_len);
            (&bytes[name_at..value_at], (value_len != NULL).then_some(value_at..at))
        })
    }

    fn value_start(&self) -> usize {
        present(self.packed().key_len)
    }
}

fn present(len: u32) -> usize {
    if len == NULL { 0 } else { len as usize }
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
