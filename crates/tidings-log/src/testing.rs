//! Builders of record batches for the tests of this house; not meant for anything else.

use bytes::BytesMut;

use crate::batch::{Compression, NO_PRODUCER_ID, NO_TIMESTAMP};
use crate::compression::compress;
use crate::limits::BATCH_HEADER_BYTES;
use crate::varint;

/// Builds one record batch (magic 2), record by record.
#[derive(Clone, Debug, Default)]
pub struct BatchBuilder {
    records: Vec<TestRecord>,
    producer: Option<(i64, i16, i32)>,
    compression: Option<Compression>,
}

/// One record of a [`BatchBuilder`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRecord {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key, or null.
    pub key: Option<Vec<u8>>,
    /// The value, or null.
    pub value: Option<Vec<u8>>,
}

impl BatchBuilder {
    /// A batch without records yet.
    pub fn new() -> BatchBuilder {
        BatchBuilder::default()
    }

    /// A batch of `count` records at `timestamp` with values of `value_bytes` bytes.
    pub fn filled(count: usize, value_bytes: usize, timestamp: i64) -> BatchBuilder {
        let value = vec![b'x'; value_bytes];
        (0..count).fold(BatchBuilder::new(), |b, _| b.record(timestamp, None, Some(&value)))
    }

    /// Adds a record.
    #[must_use]
    pub fn record(mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        self.records.push(TestRecord { timestamp, key, value });
        self
    }

    /// Makes it a batch of an idempotent producer.
    #[must_use]
    pub fn producer(mut self, id: i64, epoch: i16, first_sequence: i32) -> Self {
        self.producer = Some((id, epoch, first_sequence));
        self
    }

    /// Compresses the records.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// The bytes, with base offset 0 and a valid checksum.
    pub fn build(&self) -> BytesMut {
        let base_timestamp = self.records.first().map_or(NO_TIMESTAMP, |r| r.timestamp);
        let max_timestamp = self.records.iter().map(|r| r.timestamp).max().unwrap_or(NO_TIMESTAMP);
        let compression = self.compression.unwrap_or(Compression::None);
        let attributes = match compression {
            Compression::None => 0i16,
            Compression::Gzip => 1,
            Compression::Snappy => 2,
            Compression::Lz4 => 3,
            Compression::Zstd => 4,
        };
        let records = compress(compression, &self.encode_records(base_timestamp));
        let (producer, epoch, sequence) = self.producer.unwrap_or((NO_PRODUCER_ID, -1, -1));
        let count = self.records.len() as i32;

        let mut out = BytesMut::with_capacity(BATCH_HEADER_BYTES + records.len());
        out.extend_from_slice(&0i64.to_be_bytes());
        out.extend_from_slice(&((BATCH_HEADER_BYTES - 12 + records.len()) as i32).to_be_bytes());
        out.extend_from_slice(&(-1i32).to_be_bytes());
        out.extend_from_slice(&[2, 0, 0, 0, 0]);
        out.extend_from_slice(&attributes.to_be_bytes());
        out.extend_from_slice(&(count - 1).to_be_bytes());
        out.extend_from_slice(&base_timestamp.to_be_bytes());
        out.extend_from_slice(&max_timestamp.to_be_bytes());
        out.extend_from_slice(&producer.to_be_bytes());
        out.extend_from_slice(&epoch.to_be_bytes());
        out.extend_from_slice(&sequence.to_be_bytes());
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&records);
        let crc = crc32c::crc32c(&out[21..]);
        out[17..21].copy_from_slice(&crc.to_be_bytes());
        out
    }

    fn encode_records(&self, base_timestamp: i64) -> Vec<u8> {
        let mut out = Vec::new();
        for (n, record) in self.records.iter().enumerate() {
            let mut body = vec![0];
            varint::write(&mut body, record.timestamp - base_timestamp);
            varint::write(&mut body, n as i64);
            for field in [&record.key, &record.value] {
                varint::write(&mut body, field.as_ref().map_or(-1, |f| f.len() as i64));
                body.extend_from_slice(field.as_deref().unwrap_or_default());
            }
            varint::write(&mut body, 0);
            varint::write(&mut out, body.len() as i64);
            out.extend_from_slice(&body);
        }
        out
    }
}
