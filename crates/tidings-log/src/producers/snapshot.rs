//! The file `<offset>.producers`: all producers as they were when the log ended at that offset.

use thiserror::Error;

use super::{Producer, Producers, Remembered};
use crate::file_header::{FILE_HEADER_BYTES, Fields, HeaderFault, PRODUCERS};
use crate::limits::BATCHES_PER_PRODUCER;
use crate::offset::Offset;

/// Stands for "not known" where a time is stored.
const UNKNOWN_MS: i64 = i64::MIN;

/// Why a snapshot is not used; the state is replayed from the log instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A newer program wrote it.
    #[error("the producer snapshot has format version {0}, newer than this program")]
    Newer(u16),
    /// Its bytes are not what was written.
    #[error("the producer snapshot is damaged")]
    Damaged,
}

/// The snapshot's bytes: producers in the order of their ids, so that equal states are equal files.
pub fn encode(producers: &Producers, at: Offset) -> Vec<u8> {
    let mut out = Vec::with_capacity(FILE_HEADER_BYTES + 16 + producers.len() * 64);
    out.extend_from_slice(&PRODUCERS.header());
    out.extend_from_slice(&at.value().to_be_bytes());
    out.extend_from_slice(&(producers.len() as u32).to_be_bytes());
    let mut ids: Vec<i64> = producers.by_id.keys().copied().collect();
    ids.sort_unstable();
    for id in ids {
        let producer = &producers.by_id[&id];
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&producer.epoch.to_be_bytes());
        out.extend_from_slice(&producer.last_seen_ms.unwrap_or(UNKNOWN_MS).to_be_bytes());
        out.push(producer.count);
        for batch in producer.batches() {
            out.extend_from_slice(&batch.first.to_be_bytes());
            out.extend_from_slice(&batch.last.to_be_bytes());
            out.extend_from_slice(&batch.base_offset.value().to_be_bytes());
        }
    }
    let crc = crc32c::crc32c(&out[FILE_HEADER_BYTES..]);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

/// Reads a snapshot's bytes back.
///
/// # Errors
/// [`SnapshotError`].
pub fn decode(data: &[u8]) -> Result<(Producers, Offset), SnapshotError> {
    match PRODUCERS.check(data) {
        Ok(_) => {}
        Err(HeaderFault::Newer(version)) => return Err(SnapshotError::Newer(version)),
        Err(HeaderFault::Foreign) => return Err(SnapshotError::Damaged),
    }
    decode_body(&data[FILE_HEADER_BYTES..]).ok_or(SnapshotError::Damaged)
}

fn decode_body(body: &[u8]) -> Option<(Producers, Offset)> {
    let (content, crc) = body.split_at_checked(body.len().checked_sub(4)?)?;
    if crc != crc32c::crc32c(content).to_be_bytes() {
        return None;
    }
    let mut fields = Fields(content);
    let at = Offset(fields.i64()?);
    let count = fields.u32()?;
    let mut producers = Producers::new();
    for _ in 0..count {
        let (id, producer) = decode_producer(&mut fields)?;
        producers.by_id.insert(id, producer);
    }
    fields.0.is_empty().then_some((producers, at))
}

fn decode_producer(fields: &mut Fields<'_>) -> Option<(i64, Producer)> {
    let id = fields.i64()?;
    let mut producer = Producer::new(fields.i16()?);
    producer.last_seen_ms = Some(fields.i64()?).filter(|ms| *ms != UNKNOWN_MS);
    producer.count = fields.u8()?;
    if usize::from(producer.count) > BATCHES_PER_PRODUCER {
        return None;
    }
    for slot in producer.batches.iter_mut().take(usize::from(producer.count)) {
        let (first, last) = (fields.i32()?, fields.i32()?);
        *slot = Remembered { first, last, base_offset: Offset(fields.i64()?) };
    }
    Some((id, producer))
}
