//! Record batches (Kafka's message format, magic 2) as bytes: parse, validate, patch, walk.
//!
//! A batch is a header of 61 bytes and its records, which stay opaque (they may be compressed).
//! Source of the format: Kafka's documentation, "Record Batch", and KIP-98. All numbers are
//! big-endian. The checksum (CRC-32C) covers everything from the attributes on; so the base offset
//! and the partition's leader epoch can be set by the broker without touching it.

use std::ops::Range;

use thiserror::Error;

use crate::limits::BATCH_HEADER_BYTES;
use crate::offset::Offset;

/// The producer id that says "not idempotent".
pub const NO_PRODUCER_ID: i64 = -1;
/// The timestamp that says "none".
pub const NO_TIMESTAMP: i64 = -1;
/// Bytes before `batch_length` starts to count: base offset and the length itself.
const LENGTH_STARTS_AT: usize = 12;
/// The smallest value that `batch_length` can have: a header without records.
const MIN_BATCH_LENGTH: usize = BATCH_HEADER_BYTES - LENGTH_STARTS_AT;
/// Where the checksummed part starts.
const CRC_STARTS_AT: usize = 21;

const LOG_APPEND_TIME_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
const COMPRESSION_MASK: i16 = 0x07;

/// How a batch's records are compressed (the lowest three bits of its attributes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Snappy, in a raw block or in the framing of Java's `snappy-java`.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// The 61 bytes before a batch's records, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Bytes that follow the length field.
    pub batch_length: i32,
    /// Epoch of the partition's leader when it was appended.
    pub leader_epoch: i32,
    /// CRC-32C of everything behind it.
    pub crc: u32,
    /// Compression, kind of timestamp, transactional, control.
    pub attributes: i16,
    /// Offset of the last record minus that of the first.
    pub last_offset_delta: i32,
    /// Timestamp of the first record, milliseconds since 1970.
    pub base_timestamp: i64,
    /// The highest timestamp of its records, or the time of the append.
    pub max_timestamp: i64,
    /// Id of an idempotent producer, or -1.
    pub producer_id: i64,
    /// Epoch of that producer.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// How many records it holds.
    pub record_count: i32,
}

impl BatchHeader {
    /// Decodes the header at the start of `data`. Only its own shape is looked at: its length need
    /// not fit `data`, and the checksum is not verified ([`validate`] does both).
    ///
    /// # Errors
    /// [`BatchError::Truncated`] for less than 61 bytes, [`BatchError::Magic`] for an old format,
    /// [`BatchError::Length`] for a length that no batch can have.
    pub fn parse(data: &[u8]) -> Result<BatchHeader, BatchError> {
        let Some(header) = data.first_chunk::<BATCH_HEADER_BYTES>() else {
            return Err(BatchError::Truncated { need: BATCH_HEADER_BYTES, have: data.len() });
        };
        let magic = header[16] as i8;
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        let batch_length = i32::from_be_bytes(array(header, 8));
        if batch_length < MIN_BATCH_LENGTH as i32 {
            return Err(BatchError::Length(batch_length));
        }
        Ok(BatchHeader {
            base_offset: Offset(i64::from_be_bytes(array(header, 0))),
            batch_length,
            leader_epoch: i32::from_be_bytes(array(header, 12)),
            crc: u32::from_be_bytes(array(header, 17)),
            attributes: i16::from_be_bytes(array(header, 21)),
            last_offset_delta: i32::from_be_bytes(array(header, 23)),
            base_timestamp: i64::from_be_bytes(array(header, 27)),
            max_timestamp: i64::from_be_bytes(array(header, 35)),
            producer_id: i64::from_be_bytes(array(header, 43)),
            producer_epoch: i16::from_be_bytes(array(header, 51)),
            base_sequence: i32::from_be_bytes(array(header, 53)),
            record_count: i32::from_be_bytes(array(header, 57)),
        })
    }

    /// Length of the whole batch in bytes, header included.
    pub fn size(&self) -> usize {
        LENGTH_STARTS_AT + self.batch_length as usize
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }

    /// Offset behind the last record.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().next()
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`BatchError::Compression`] for a code that does not exist.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        match self.attributes & COMPRESSION_MASK {
            0 => Ok(Compression::None),
            1 => Ok(Compression::Gzip),
            2 => Ok(Compression::Snappy),
            3 => Ok(Compression::Lz4),
            4 => Ok(Compression::Zstd),
            other => Err(BatchError::Compression(other)),
        }
    }

    /// Whether all records have the time of the append instead of their own.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME_BIT != 0
    }

    /// Whether it is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether it is a control batch (a transaction's marker), which only brokers write.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whether an idempotent producer wrote it.
    pub fn is_idempotent(&self) -> bool {
        self.producer_id != NO_PRODUCER_ID
    }

    /// Sequence number of the last record; sequences wrap from `i32::MAX` to 0.
    pub fn last_sequence(&self) -> i32 {
        crate::producers::sequence_after(self.base_sequence, self.last_offset_delta)
    }
}

/// What is wrong with bytes that should be record batches.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes end within a batch.
    #[error("the record batch needs {need} bytes, but only {have} are there")]
    Truncated {
        /// Bytes that the batch needs.
        need: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// A message format other than 2.
    #[error("message format {0} is not supported; only format 2 (Kafka 0.11 and newer) is")]
    Magic(i8),
    /// A length that no batch can have.
    #[error("a record batch cannot have a length of {0}")]
    Length(i32),
    /// The batch is larger than the topic takes.
    #[error("the record batch has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes of the batch.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The checksum does not fit the content.
    #[error(
        "the record batch is damaged: its checksum says {stored:08x}, its bytes {computed:08x}"
    )]
    Crc {
        /// What the header says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// The number of records and the last offset disagree, or there are none.
    #[error("the record batch claims {records} records and a last offset delta of {last_delta}")]
    Count {
        /// Claimed number of records.
        records: i32,
        /// Claimed last offset delta.
        last_delta: i32,
    },
    /// An unknown compression code.
    #[error("compression code {0} is not known")]
    Compression(i16),
    /// A control batch from a client.
    #[error("control batches are written by brokers only")]
    Control,
    /// A producer id without epoch or sequence, or the other way round.
    #[error("producer id {producer_id}, epoch {epoch} and sequence {sequence} do not fit together")]
    Producer {
        /// Id in the header.
        producer_id: i64,
        /// Epoch in the header.
        epoch: i16,
        /// First sequence in the header.
        sequence: i32,
    },
    /// Offsets in a segment that do not grow.
    #[error("the record batch has offset {found}, but {expected} should come here")]
    Offset {
        /// Offset in the header.
        found: Offset,
        /// Offset that it should have.
        expected: Offset,
    },
    /// No batch at all.
    #[error("there is no record batch in the request")]
    Empty,
}

/// What [`validate`] found in one or more batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validated {
    /// Number of batches.
    pub batches: usize,
    /// Number of records in them.
    pub records: i64,
    /// Highest timestamp of all, or [`NO_TIMESTAMP`].
    pub max_timestamp: i64,
    /// The header of the first batch.
    pub first: BatchHeader,
}

/// Verifies that `records` is one or more whole batches that a client may append: length, format,
/// checksum, counts, compression code, producer fields; records themselves are not opened.
///
/// # Errors
/// The first thing that is wrong; see [`BatchError`].
pub fn validate(records: &[u8], max_batch_bytes: usize) -> Result<Validated, BatchError> {
    let mut total: Option<Validated> = None;
    let mut rest = records;
    while !rest.is_empty() {
        let header = BatchHeader::parse(rest)?;
        if header.size() > max_batch_bytes {
            return Err(BatchError::TooLarge { size: header.size(), limit: max_batch_bytes });
        }
        let Some((batch, behind)) = rest.split_at_checked(header.size()) else {
            return Err(BatchError::Truncated { need: header.size(), have: rest.len() });
        };
        verify_crc(&header, batch)?;
        verify_fields(&header)?;
        let sum = total.get_or_insert(Validated {
            batches: 0,
            records: 0,
            max_timestamp: NO_TIMESTAMP,
            first: header,
        });
        sum.batches += 1;
        sum.records += i64::from(header.record_count);
        sum.max_timestamp = sum.max_timestamp.max(header.max_timestamp);
        rest = behind;
    }
    total.ok_or(BatchError::Empty)
}

/// Verifies the checksum of one whole batch (exactly its bytes).
///
/// # Errors
/// [`BatchError::Crc`] when it does not fit, [`BatchError::Truncated`] when bytes are missing.
pub fn verify_crc(header: &BatchHeader, batch: &[u8]) -> Result<(), BatchError> {
    let Some(covered) = batch.get(CRC_STARTS_AT..header.size()) else {
        return Err(BatchError::Truncated { need: header.size(), have: batch.len() });
    };
    let computed = crc32c::crc32c(covered);
    if computed == header.crc {
        Ok(())
    } else {
        Err(BatchError::Crc { stored: header.crc, computed })
    }
}

/// The checks that need the header alone.
pub(crate) fn verify_fields(header: &BatchHeader) -> Result<(), BatchError> {
    header.compression()?;
    let (records, last_delta) = (header.record_count, header.last_offset_delta);
    if records < 1 || last_delta != records - 1 {
        return Err(BatchError::Count { records, last_delta });
    }
    if header.is_control() {
        return Err(BatchError::Control);
    }
    let with = header.producer_id >= 0 && header.producer_epoch >= 0 && header.base_sequence >= 0;
    let without = header.producer_id == NO_PRODUCER_ID && header.base_sequence < 0;
    if with || without {
        return Ok(());
    }
    Err(BatchError::Producer {
        producer_id: header.producer_id,
        epoch: header.producer_epoch,
        sequence: header.base_sequence,
    })
}

/// Sets the base offset of the batch at the start of `batch`; the checksum stays valid.
///
/// # Panics
/// If `batch` is shorter than a header: the caller has parsed it before.
pub fn patch_base_offset(batch: &mut [u8], offset: Offset) {
    batch[..8].copy_from_slice(&offset.value().to_be_bytes());
}

/// Sets the leader epoch of the batch at the start of `batch`; the checksum stays valid.
///
/// # Panics
/// If `batch` is shorter than a header: the caller has parsed it before.
pub fn patch_leader_epoch(batch: &mut [u8], epoch: i32) {
    batch[12..16].copy_from_slice(&epoch.to_be_bytes());
}

/// Turns the batch's timestamps into the time of the append and computes its new checksum;
/// `records` is all of the batch behind its header.
pub fn patch_log_append_time(header: &mut [u8; BATCH_HEADER_BYTES], records: &[u8], now_ms: i64) {
    let attributes = i16::from_be_bytes(array(header, 21)) | LOG_APPEND_TIME_BIT;
    header[21..23].copy_from_slice(&attributes.to_be_bytes());
    header[35..43].copy_from_slice(&now_ms.to_be_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[CRC_STARTS_AT..]), records);
    header[17..CRC_STARTS_AT].copy_from_slice(&crc.to_be_bytes());
}

/// Walks over concatenated batches: the header of each with the range of its bytes. Ends behind the
/// last whole batch, or after the first error. Checksums are not verified.
pub fn batches(records: &[u8]) -> Batches<'_> {
    Batches { records, position: 0, failed: false }
}

/// See [`batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    records: &'a [u8],
    position: usize,
    failed: bool,
}

impl Batches<'_> {
    /// How many bytes the batches walked over so far have.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<(BatchHeader, Range<usize>), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.records[self.position..];
        if rest.is_empty() || self.failed {
            return None;
        }
        let header = match BatchHeader::parse(rest) {
            Ok(header) if header.size() <= rest.len() => header,
            Ok(header) => {
                self.failed = true;
                let (need, have) = (header.size(), rest.len());
                return Some(Err(BatchError::Truncated { need, have }));
            }
            Err(error) => {
                self.failed = true;
                return Some(Err(error));
            }
        };
        let range = self.position..self.position + header.size();
        self.position = range.end;
        Some(Ok((header, range)))
    }
}

fn array<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    data[at..at + N].try_into().expect("the range has N bytes")
}

#[cfg(test)]
mod tests;
