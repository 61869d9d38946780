//! The bytes of one entry of the journal of committed offsets; see docs/formats/offsets-journal.md.
//!
//! The journal guards each entry with a length and a checksum; here is only what is in it. All
//! numbers are big-endian, a text is its length in bytes (u16) and UTF-8.

use super::offsets::{Change, Committed};

/// The version of this layout. It stands in each entry, so a reader that meets a newer one says
/// so instead of guessing.
const VERSION: u8 = 1;

const COMMIT: u8 = 1;
const FORGET_PARTITION: u8 = 2;
const FORGET_GROUP: u8 = 3;
const FORGET_TOPIC: u8 = 4;

/// Why an entry cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryError {
    /// It was written by a later release.
    #[error(
        "it has format version {0}, this release reads version {VERSION}: \
         use the release that wrote it, or a later one"
    )]
    Newer(u8),
    /// The bytes are not what any release writes.
    #[error("its bytes do not make an entry ({0})")]
    Malformed(&'static str),
}

/// The entry for `change`.
pub(crate) fn encode(change: &Change) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    out.push(VERSION);
    match change {
        Change::Commit { group, topic, partition, committed } => {
            out.push(COMMIT);
            put_text(&mut out, group);
            put_text(&mut out, topic);
            out.extend(partition.to_be_bytes());
            out.extend(committed.offset.to_be_bytes());
            out.extend(committed.leader_epoch.to_be_bytes());
            out.extend(committed.committed_at_ms.to_be_bytes());
            put_text(&mut out, &committed.metadata);
        }
        Change::ForgetPartition { group, topic, partition } => {
            out.push(FORGET_PARTITION);
            put_text(&mut out, group);
            put_text(&mut out, topic);
            out.extend(partition.to_be_bytes());
        }
        Change::ForgetGroup { group } => {
            out.push(FORGET_GROUP);
            put_text(&mut out, group);
        }
        Change::ForgetTopic { topic } => {
            out.push(FORGET_TOPIC);
            put_text(&mut out, topic);
        }
    }
    out
}

/// The change that `entry` holds.
pub(crate) fn decode(entry: &[u8]) -> Result<Change, EntryError> {
    let mut rest = Reader { rest: entry };
    let [version] = rest.bytes()?;
    if version != VERSION {
        return Err(if version > VERSION {
            EntryError::Newer(version)
        } else {
            EntryError::Malformed("format version 0")
        });
    }
    let [kind] = rest.bytes()?;
    let change = match kind {
        COMMIT => Change::Commit {
            group: rest.text()?,
            topic: rest.text()?,
            partition: i32::from_be_bytes(rest.bytes()?),
            committed: Committed {
                offset: i64::from_be_bytes(rest.bytes()?),
                leader_epoch: i32::from_be_bytes(rest.bytes()?),
                committed_at_ms: i64::from_be_bytes(rest.bytes()?),
                metadata: rest.text()?,
            },
        },
        FORGET_PARTITION => Change::ForgetPartition {
            group: rest.text()?,
            topic: rest.text()?,
            partition: i32::from_be_bytes(rest.bytes()?),
        },
        FORGET_GROUP => Change::ForgetGroup { group: rest.text()? },
        FORGET_TOPIC => Change::ForgetTopic { topic: rest.text()? },
        _ => return Err(EntryError::Malformed("unknown kind")),
    };
    if rest.rest.is_empty() { Ok(change) } else { Err(EntryError::Malformed("too long")) }
}

/// Every text that gets here is bounded far below 64 KiB by `limits.rs`.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("names and metadata are bounded on entry");
    out.extend(length.to_be_bytes());
    out.extend(text.as_bytes());
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], EntryError> {
        let (head, rest) =
            self.rest.split_first_chunk::<N>().ok_or(EntryError::Malformed("too short"))?;
        self.rest = rest;
        Ok(*head)
    }

    fn text(&mut self) -> Result<Box<str>, EntryError> {
        let length = usize::from(u16::from_be_bytes(self.bytes()?));
        let (text, rest) =
            self.rest.split_at_checked(length).ok_or(EntryError::Malformed("too short"))?;
        self.rest = rest;
        let text = std::str::from_utf8(text).map_err(|_| EntryError::Malformed("not UTF-8"))?;
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change() -> impl Strategy<Value = Change> {
        let name = || "[^\\x00]{0,40}".prop_map(String::into_boxed_str);
        let committed = (any::<i64>(), any::<i32>(), any::<i64>(), name()).prop_map(
            |(offset, leader_epoch, committed_at_ms, metadata)| Committed {
                offset,
                leader_epoch,
                metadata,
                committed_at_ms,
            },
        );
        prop_oneof![
            (name(), name(), any::<i32>(), committed).prop_map(
                |(group, topic, partition, committed)| Change::Commit {
                    group,
                    topic,
                    partition,
                    committed
                }
            ),
            (name(), name(), any::<i32>()).prop_map(|(group, topic, partition)| {
                Change::ForgetPartition { group, topic, partition }
            }),
            name().prop_map(|group| Change::ForgetGroup { group }),
            name().prop_map(|topic| Change::ForgetTopic { topic }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(change in change()) {
            prop_assert_eq!(decode(&encode(&change)), Ok(change));
        }

        #[test]
        fn a_cut_entry_is_an_error_and_garbage_never_panics(
            change in change(),
            garbage in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let whole = encode(&change);
            for cut in 0..whole.len() {
                prop_assert!(decode(&whole[..cut]).is_err());
            }
            let _ = decode(&garbage);
        }
    }

    /// These bytes are on people's disks: if this test must change, VERSION must too.
    #[test]
    fn version_1_is_fixed() {
        let committed = Committed {
            offset: 42,
            leader_epoch: -1,
            metadata: "m".into(),
            committed_at_ms: 0x0102,
        };
        let commit =
            Change::Commit { group: "g".into(), topic: "ab".into(), partition: 7, committed };
        let bytes: &[u8] = &[
            1, 1, 0, 1, b'g', 0, 2, b'a', b'b', 0, 0, 0, 7, // group, topic, partition
            0, 0, 0, 0, 0, 0, 0, 42, 0xff, 0xff, 0xff, 0xff, // offset, leader epoch
            0, 0, 0, 0, 0, 0, 1, 2, 0, 1, b'm', // time, metadata
        ];
        assert_eq!(encode(&commit), bytes);
        for (bytes, change) in [
            (bytes, Ok(commit)),
            (
                &[1, 2, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3],
                Ok(Change::ForgetPartition { group: "g".into(), topic: "t".into(), partition: 3 }),
            ),
            (&[1, 3, 0, 1, b'g'], Ok(Change::ForgetGroup { group: "g".into() })),
            (&[1, 4, 0, 1, b't'], Ok(Change::ForgetTopic { topic: "t".into() })),
            (&[2, 3, 0, 1, b'g'], Err(EntryError::Newer(2))),
            (&[0, 3, 0, 1, b'g'], Err(EntryError::Malformed("format version 0"))),
            (&[1, 9], Err(EntryError::Malformed("unknown kind"))),
            (&[1, 4, 0, 1, b't', 0], Err(EntryError::Malformed("too long"))),
            (&[1, 4, 0, 1, 0xff], Err(EntryError::Malformed("not UTF-8"))),
        ] {
            assert_eq!(decode(bytes), change, "{bytes:?}");
        }
    }
}
