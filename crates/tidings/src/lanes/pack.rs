//! Records on their way from the client to one shard: copied into one buffer, handed over together.
//! The copy is made once, where the shard is known; whatever follows only points into it.

use std::sync::Arc;

use bytes::Bytes;

use super::delivery::Delivery;
use crate::lanes::place::Place;

/// Marks a null key, value or header value in place of a length.
pub(super) const NULL: u32 = u32::MAX;

/// Records of one or more partitions for one shard, in the order of each partition.
#[derive(Debug)]
pub(crate) struct Pack {
    pub(super) bytes: Bytes,
    pub(super) records: Vec<Packed>,
    pub(super) places: Vec<Arc<Place>>,
}

/// Where a record's parts lie in the buffer, and what was found out while it was copied.
#[derive(Debug)]
pub(super) struct Packed {
    /// Key, value, then per header: two lengths (little endian), name, value.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) key_len: u32,
    pub(super) value_len: u32,
    pub(super) header_count: u32,
    /// The index of its place.
    place: u32,
    /// Where `ce_type`'s value lies behind `start`, when the record is an event in binary mode
    /// with all required attributes under their usual names. Otherwise the slow way has to judge.
    pub(super) plain_type: Option<(u32, u32)>,
    pub(super) offset: i64,
    /// Milliseconds since 1970; negative when the record has no time.
    pub(super) timestamp_ms: i64,
    /// What decides its lane, besides the handler.
    pub(super) lane_seed: u64,
}

/// Collects a pack.
#[derive(Default)]
pub(crate) struct Packer {
    buffer: Vec<u8>,
    records: Vec<Packed>,
    places: Vec<Arc<Place>>,
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
    /// Copies one record. Returns its size.
    pub(crate) fn push<'a, H>(
        &mut self,
        place: &Arc<Place>,
        lane_seed: u64,
        record: Fetched<'a, H>,
    ) -> usize
    where
        H: Iterator<Item = (&'a str, Option<&'a [u8]>)>,
    {
        let start = self.buffer.len();
        let key_len = self.put(record.key);
        let value_len = self.put(record.value);
        let (mut header_count, mut envelope) = (0, Envelope::default());
        for (name, value) in record.headers {
            header_count += 1;
            let value_len = value.map_or(NULL, |value| value.len() as u32);
            self.buffer.extend_from_slice(&(name.len() as u32).to_le_bytes());
            self.buffer.extend_from_slice(&value_len.to_le_bytes());
            self.buffer.extend_from_slice(name.as_bytes());
            let at = (self.buffer.len() - start) as u32;
            self.buffer.extend_from_slice(value.unwrap_or_default());
            envelope.see(name, value, at);
        }
        let end = self.buffer.len();
        self.records.push(Packed {
            start,
            end,
            key_len,
            value_len,
            header_count,
            place: 0,
            plain_type: envelope.plain_type(),
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            lane_seed,
        });
        // Last, so that a record that was cut short leaves no place behind.
        let place = self.index_of(place);
        self.records.last_mut().expect("it was pushed").place = place;
        end - start
    }

    fn put(&mut self, bytes: Option<&[u8]>) -> u32 {
        self.buffer.extend_from_slice(bytes.unwrap_or_default());
        bytes.map_or(NULL, |bytes| bytes.len() as u32)
    }

    /// Records come in runs of one partition.
    fn index_of(&mut self, place: &Arc<Place>) -> u32 {
        if !self.places.last().is_some_and(|last| Arc::ptr_eq(last, place)) {
            self.places.push(Arc::clone(place));
        }
        (self.places.len() - 1) as u32
    }

    /// The end of what is packed, to come back to.
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.records.len(), self.buffer.len())
    }

    /// Forgets what was packed after the mark, a record that was cut short included.
    pub(crate) fn rewind(&mut self, (records, bytes): (usize, usize)) {
        self.records.truncate(records);
        self.buffer.truncate(bytes);
    }

    /// Everything packed since the last call; nothing if nothing was.
    pub(crate) fn take(&mut self) -> Option<Arc<Pack>> {
        if self.records.is_empty() {
            return None;
        }
        // The next pack will be about as large as this one.
        let (bytes, records) = (self.buffer.len(), self.records.len());
        Some(Arc::new(Pack {
            bytes: std::mem::replace(&mut self.buffer, Vec::with_capacity(bytes)).into(),
            records: std::mem::replace(&mut self.records, Vec::with_capacity(records)),
            places: std::mem::take(&mut self.places),
        }))
    }
}

impl Pack {
    /// Its records, in order.
    pub(crate) fn deliveries(self: &Arc<Pack>) -> impl Iterator<Item = Delivery> {
        (0..self.records.len() as u32).map(|index| Delivery::new(Arc::clone(self), index))
    }

    pub(super) fn place(&self, record: &Packed) -> &Arc<Place> {
        &self.places[record.place as usize]
    }
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
