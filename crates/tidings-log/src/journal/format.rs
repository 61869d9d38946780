//! The journal's bytes: behind the file's header, entries of length, checksum and content.

use bytes::Bytes;

use crate::file_header::FILE_HEADER_BYTES;
use crate::limits::MAX_JOURNAL_ENTRY_BYTES;

/// Length and checksum before each entry.
const FRAME_BYTES: usize = 8;

/// Appends one entry with its frame.
pub(super) fn frame(out: &mut Vec<u8>, entry: &[u8]) {
    let length = (entry.len() as u32).to_be_bytes();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&length), entry);
    out.extend_from_slice(&length);
    out.extend_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(entry);
}

/// What a journal's content is.
#[derive(Debug)]
pub(crate) struct Found {
    /// Whole entries, oldest first.
    pub entries: Vec<Bytes>,
    /// Where the last of them ends.
    pub end: usize,
    /// Whether whole entries follow behind the damage.
    pub more: bool,
}

/// Walks over a journal's content, which begins with a sound header.
pub(crate) fn walk(content: &Bytes) -> Found {
    let mut found = Found { entries: Vec::new(), end: FILE_HEADER_BYTES, more: false };
    while let Some(length) = whole_entry(content.get(found.end..).unwrap_or_default()) {
        let start = found.end + FRAME_BYTES;
        found.entries.push(content.slice(start..start + length));
        found.end = start + length;
    }
    found.more = has_whole_entry(content.get(found.end..).unwrap_or_default());
    found
}

/// The length of the entry at the start of `data`, if it is whole.
fn whole_entry(data: &[u8]) -> Option<usize> {
    let (frame, content) = data.split_first_chunk::<FRAME_BYTES>()?;
    let (length, crc) = frame.split_at(4);
    let size = u32::from_be_bytes(length.try_into().ok()?) as usize;
    let entry = content.get(..size).filter(|_| size <= MAX_JOURNAL_ENTRY_BYTES)?;
    let computed = crc32c::crc32c_append(crc32c::crc32c(length), entry);
    (crc == computed.to_be_bytes()).then_some(size)
}

/// Whether a whole entry begins anywhere in `data`.
fn has_whole_entry(data: &[u8]) -> bool {
    // Every place may claim to be a long entry; computing all those checksums must not take for
    // ever. Whoever gets there has damage that a person should look at anyway.
    let mut budget = data.len().saturating_mul(64);
    for start in 1..data.len() {
        let rest = &data[start..];
        let Some(length) = rest.first_chunk::<4>() else { return false };
        let claimed = u32::from_be_bytes(*length) as usize;
        if claimed > rest.len() {
            continue;
        }
        if whole_entry(rest).is_some() {
            return true;
        }
        budget = budget.saturating_sub(claimed);
        if budget == 0 {
            return true;
        }
    }
    false
}
