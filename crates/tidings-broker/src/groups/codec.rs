//! The bytes of one entry of the journal of groups; see docs/formats/offsets-journal.md.
//!
//! The journal guards each entry with a length and a checksum; here is only what is in it. All
//! numbers are big-endian, a text is its length in bytes (u16) and UTF-8.

mod generation;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::offsets::{Change, Committed};

pub(crate) use self::generation::size_bound;

/// The newest version of this layout. It stands in each entry, so a reader that meets a newer one
/// says so instead of guessing.
const VERSION: u8 = 2;

/// The version of the entries that release 0.1 knew; they have not changed.
const OFFSETS_VERSION: u8 = 1;

const COMMIT: u8 = 1;
const FORGET_PARTITION: u8 = 2;
const FORGET_GROUP: u8 = 3;
const FORGET_TOPIC: u8 = 4;
/// From version 2 on.
const SETTLE: u8 = 5;

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
    let settles = matches!(change, Change::Settle { .. });
    out.push(if settles { VERSION } else { OFFSETS_VERSION });
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
        Change::Settle { group, generation } => {
            out.push(SETTLE);
            put_text(&mut out, group);
            generation::put(&mut out, generation);
        }
    }
    out
}

/// The change that `entry` holds.
pub(crate) fn decode(entry: &[u8]) -> Result<Change, EntryError> {
    let mut rest = Reader { rest: entry };
    let [version] = rest.bytes()?;
    if version > VERSION {
        return Err(EntryError::Newer(version));
    }
    if version < OFFSETS_VERSION {
        return Err(EntryError::Malformed("format version 0"));
    }
    let [kind] = rest.bytes()?;
    let change = match kind {
        // Each kind has the version that brought it: what is read is written as it was.
        COMMIT..=FORGET_TOPIC if version != OFFSETS_VERSION => {
            return Err(EntryError::Malformed("a kind of version 1 under another"));
        }
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
        SETTLE if version >= 2 => Change::Settle {
            group: rest.text()?,
            generation: Arc::new(generation::take(&mut rest)?),
        },
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

impl<'a> Reader<'a> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], EntryError> {
        let (head, rest) =
            self.rest.split_first_chunk::<N>().ok_or(EntryError::Malformed("too short"))?;
        self.rest = rest;
        Ok(*head)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], EntryError> {
        let (slice, rest) =
            self.rest.split_at_checked(length).ok_or(EntryError::Malformed("too short"))?;
        self.rest = rest;
        Ok(slice)
    }

    fn text(&mut self) -> Result<Box<str>, EntryError> {
        let length = usize::from(u16::from_be_bytes(self.bytes()?));
        let text = std::str::from_utf8(self.slice(length)?);
        text.map(Into::into).map_err(|_| EntryError::Malformed("not UTF-8"))
    }
}
