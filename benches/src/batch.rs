//! Record batches of format 2, as much of them as a yardstick needs.

use crate::Outcome;
use crate::wire::{Reader, put};

/// Base offset and length, which the length does not count.
const HEAD_BYTES: usize = 12;
/// Where the checksum stands and the bytes that it covers begin.
const CRC_AT: usize = 17;

/// A batch of one record without a key, from no idempotent producer.
pub(crate) fn one_record(value: &[u8], time_ms: i64) -> Vec<u8> {
    let mut record = vec![0, 0, 0]; // attributes, time and offset: no delta
    varint(&mut record, -1);
    varint(&mut record, value.len() as i64);
    record.extend_from_slice(value);
    varint(&mut record, 0); // no headers
    let mut batch = vec![0; CRC_AT + 4];
    batch[CRC_AT - 5..CRC_AT - 1].copy_from_slice(&(-1i32).to_be_bytes()); // no leader's epoch
    batch[CRC_AT - 1] = 2;
    put(&mut batch, 0i16.to_be_bytes());
    put(&mut batch, 0i32.to_be_bytes());
    put(&mut batch, time_ms.to_be_bytes());
    put(&mut batch, time_ms.to_be_bytes());
    put(&mut batch, (-1i64).to_be_bytes());
    put(&mut batch, (-1i16).to_be_bytes());
    put(&mut batch, (-1i32).to_be_bytes());
    put(&mut batch, 1i32.to_be_bytes());
    varint(&mut batch, record.len() as i64);
    batch.extend_from_slice(&record);
    let length = (batch.len() - HEAD_BYTES) as u32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_AT + 4..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// How many bytes of `records` are whole batches, and the offset after the last of them.
pub(crate) fn whole(records: &[u8]) -> Outcome<(usize, Option<i64>)> {
    let (mut taken, mut next) = (0, None);
    while let Some(head) = records[taken..].first_chunk::<27>() {
        let mut at = Reader::new(head);
        let base = at.i64()?;
        let length = HEAD_BYTES + usize::try_from(at.i32()?)?;
        at.skip(4 + 1 + 4 + 2)?;
        let last_delta = at.i32()?;
        if records.len() < taken + length {
            break;
        }
        taken += length;
        next = Some(base + i64::from(last_delta) + 1);
    }
    Ok((taken, next))
}

fn varint(bytes: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        bytes.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    bytes.push(zigzag as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_knows_its_own_length_and_a_cut_one_is_none() {
        let batch = one_record(&[7; 256], 1);
        assert_eq!(whole(&batch).unwrap(), (batch.len(), Some(1)));
        assert_eq!(whole(&batch[..batch.len() - 1]).unwrap(), (0, None));
        let two = [batch.as_slice(), &batch[..40]].concat();
        assert_eq!(whole(&two).unwrap(), (batch.len(), Some(1)));
    }
}
