//! Builders of record batches for the tests of this house; not meant for anything else.

use bytes::BytesMut;

/// Builds one record batch (magic 2), record by record.
#[derive(Clone, Debug, Default)]
pub struct BatchBuilder {
    records: Vec<TestRecord>,
    producer: Option<(i64, i16, i32)>,
    compression: Option<crate::batch::Compression>,
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
    pub fn compression(mut self, compression: crate::batch::Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// The bytes, with base offset 0 and a valid checksum.
    pub fn build(&self) -> BytesMut {
        todo!()
    }
}
