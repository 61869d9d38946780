//! What a record holds: who sent it, where to and the how-manieth it is; the rest of its bytes
//! follow from that, so that a changed byte anywhere is seen.

use crate::history::{Place, Value};

/// The fields below.
const HEAD_BYTES: usize = 22;

/// The bytes of a record's value.
pub(super) fn write(run: u64, value: Value, bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.max(HEAD_BYTES));
    out.extend(run.to_be_bytes());
    out.extend(value.producer.to_be_bytes());
    out.extend(value.sent_to.topic.to_be_bytes());
    out.extend(value.sent_to.partition.to_be_bytes());
    out.extend(value.sequence.to_be_bytes());
    out.extend((out.len()..bytes).map(|at| filling(value.sequence, at)));
    out
}

/// What was written; `None` if it is not what a producer of this run wrote.
pub(super) fn read(run: u64, bytes: &[u8]) -> Option<Value> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let short = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let long = |at: usize| Some(u64::from_be_bytes(head[at..at + 8].try_into().ok()?));
    let sent_to = Place { topic: short(10), partition: short(12) };
    let value = Value { producer: short(8), sent_to, sequence: long(14)? };
    let whole =
        rest.iter().zip(HEAD_BYTES..).all(|(byte, at)| *byte == filling(value.sequence, at));
    (long(0)? == run && whole).then_some(value)
}

fn filling(sequence: u64, at: usize) -> u8 {
    (sequence as u8).wrapping_mul(31).wrapping_add(at as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_seen() {
        let sent_to = Place { topic: 2, partition: 3 };
        let value = Value { producer: 1, sent_to, sequence: 77 };
        let bytes = write(9, value, 64);
        assert_eq!(read(9, &bytes), Some(value));
        assert_eq!(read(8, &bytes), None);
        assert_eq!(read(9, b"short"), None);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_ne!(read(9, &changed), Some(value), "byte {at}");
        }
    }
}
