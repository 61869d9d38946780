//! A segment's sparse index by offset and time, and the file that proves what of it was synced.
//!
//! The file is written only after the segment's bytes up to `covered` were synced, so a sound index
//! means: those bytes need no reading at the next start. An index that covers the whole segment
//! seals it; one that covers a part is a checkpoint. A damaged or missing one is rebuilt.

use std::io;

use crate::batch::BatchHeader;
use crate::file_header::{FILE_HEADER_BYTES, Fields, HeaderFault, INDEX};
use crate::offset::Offset;
use crate::storage::{File, read_exact_at};

/// Length of the file before its entries.
pub(crate) const INDEX_HEADER_BYTES: usize = FILE_HEADER_BYTES + 52;
/// Length of one entry.
pub(crate) const INDEX_ENTRY_BYTES: usize = 24;
/// "No batch before this one has a timestamp."
const NOTHING_BEFORE: i64 = i64::MIN;

/// One batch that can be jumped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// Its base offset.
    pub offset: Offset,
    /// Where it begins in the segment file.
    pub position: u64,
    /// The highest timestamp of all batches of the segment before it.
    pub max_timestamp_before: i64,
}

/// What an index says about its segment as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexSummary {
    /// First offset of the segment.
    pub base: Offset,
    /// Length of the segment file that was synced when the index was written.
    pub covered: u64,
    /// Offset behind the last record of the covered part.
    pub next: Offset,
    /// Highest timestamp of the covered part.
    pub max_timestamp: i64,
    /// Where the first batch with that timestamp begins.
    pub max_timestamp_position: u64,
}

/// The index of a segment while it is written or scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexBuilder {
    pub entries: Vec<IndexEntry>,
    max_timestamp: Option<(i64, u64)>,
    /// The next batch gets an entry, however near it is.
    due: bool,
}

impl IndexBuilder {
    /// Continues from a part that was saved.
    pub(crate) fn resume(entries: Vec<IndexEntry>, summary: &IndexSummary) -> IndexBuilder {
        let known = (!entries.is_empty())
            .then_some((summary.max_timestamp, summary.max_timestamp_position));
        IndexBuilder { entries, max_timestamp: known, due: false }
    }

    /// Damage stands between the last batch and the next: a walk must not start before it.
    pub(crate) fn jump(&mut self) {
        self.due = true;
    }

    /// Takes note of a batch at `position`.
    pub(crate) fn add(&mut self, header: &BatchHeader, position: u64, interval_bytes: u64) {
        let far = self.entries.last().is_none_or(|e| position - e.position >= interval_bytes);
        if far || std::mem::take(&mut self.due) {
            let max_timestamp_before = self.max_timestamp.map_or(NOTHING_BEFORE, |(ts, _)| ts);
            let offset = header.base_offset;
            self.entries.push(IndexEntry { offset, position, max_timestamp_before });
        }
        if self.max_timestamp.is_none_or(|(ts, _)| header.max_timestamp > ts) {
            self.max_timestamp = Some((header.max_timestamp, position));
        }
    }

    /// The highest timestamp and where the first batch that has it begins.
    pub(crate) fn max_timestamp(&self) -> Option<(i64, u64)> {
        self.max_timestamp
    }

    /// Where to start walking for `offset`: the last entry at or before it.
    pub(crate) fn find_offset(&self, offset: Offset) -> Option<IndexEntry> {
        let behind = self.entries.partition_point(|e| e.offset <= offset);
        self.entries.get(behind.saturating_sub(1)).copied()
    }

    /// Where to start walking for the first batch that has `timestamp` or a later one.
    pub(crate) fn find_time(&self, timestamp: i64) -> Option<IndexEntry> {
        let behind = self.entries.partition_point(|e| e.max_timestamp_before < timestamp);
        self.entries.get(behind.saturating_sub(1)).copied()
    }
}

/// The bytes of an index file.
pub(crate) fn encode(summary: &IndexSummary, entries: &[IndexEntry]) -> Vec<u8> {
    let size = INDEX_HEADER_BYTES + entries.len() * INDEX_ENTRY_BYTES;
    let mut body = Vec::with_capacity(size - INDEX_HEADER_BYTES);
    for entry in entries {
        body.extend_from_slice(&entry.offset.value().to_be_bytes());
        body.extend_from_slice(&entry.position.to_be_bytes());
        body.extend_from_slice(&entry.max_timestamp_before.to_be_bytes());
    }
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&INDEX.header());
    out.extend_from_slice(&summary.base.value().to_be_bytes());
    out.extend_from_slice(&summary.covered.to_be_bytes());
    out.extend_from_slice(&summary.next.value().to_be_bytes());
    out.extend_from_slice(&summary.max_timestamp.to_be_bytes());
    out.extend_from_slice(&summary.max_timestamp_position.to_be_bytes());
    out.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
    let crc = crc32c::crc32c(&out[FILE_HEADER_BYTES..]);
    out.extend_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(&body);
    out
}

/// Why an index file is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexFault {
    /// Rebuild it.
    Damaged,
    /// Refuse to open the log.
    Newer(u16),
}

/// An index file whose head was read and found sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexHead {
    pub summary: IndexSummary,
    pub entries: u32,
    entries_crc: u32,
}

/// Reads the head of an index file and checks it, and that the file has the length it should have;
/// entries are read when they are needed.
pub(crate) fn read_head(file: &dyn File) -> io::Result<Result<IndexHead, IndexFault>> {
    let mut head = [0; INDEX_HEADER_BYTES];
    let size = file.size()?;
    if size < INDEX_HEADER_BYTES as u64 {
        return Ok(Err(IndexFault::Damaged));
    }
    read_exact_at(file, 0, &mut head)?;
    Ok(decode_head(&head, size))
}

fn decode_head(head: &[u8; INDEX_HEADER_BYTES], size: u64) -> Result<IndexHead, IndexFault> {
    match INDEX.check(head) {
        Ok(_) => {}
        Err(HeaderFault::Newer(version)) => return Err(IndexFault::Newer(version)),
        Err(HeaderFault::Foreign) => return Err(IndexFault::Damaged),
    }
    let covered_by_crc = &head[FILE_HEADER_BYTES..INDEX_HEADER_BYTES - 4];
    let mut fields = Fields(&head[FILE_HEADER_BYTES..]);
    let mut decode = || {
        let summary = IndexSummary {
            base: Offset(fields.i64()?),
            covered: fields.u64()?,
            next: Offset(fields.i64()?),
            max_timestamp: fields.i64()?,
            max_timestamp_position: fields.u64()?,
        };
        let head = IndexHead { summary, entries: fields.u32()?, entries_crc: fields.u32()? };
        (fields.u32()? == crc32c::crc32c(covered_by_crc)).then_some(head)
    };
    let head = decode().ok_or(IndexFault::Damaged)?;
    let expected = INDEX_HEADER_BYTES as u64 + u64::from(head.entries) * INDEX_ENTRY_BYTES as u64;
    if size == expected { Ok(head) } else { Err(IndexFault::Damaged) }
}

/// Reads and checks all entries of an index file.
pub(crate) fn read_entries(
    file: &dyn File,
    head: &IndexHead,
) -> io::Result<Result<Vec<IndexEntry>, IndexFault>> {
    let mut body = vec![0; head.entries as usize * INDEX_ENTRY_BYTES];
    read_exact_at(file, INDEX_HEADER_BYTES as u64, &mut body)?;
    if crc32c::crc32c(&body) != head.entries_crc {
        return Ok(Err(IndexFault::Damaged));
    }
    let entries: Vec<IndexEntry> =
        body.chunks_exact(INDEX_ENTRY_BYTES).filter_map(decode_entry).collect();
    Ok(if in_order(&entries, &head.summary) { Ok(entries) } else { Err(IndexFault::Damaged) })
}

/// Whether entries point further and further into what is covered. A right checksum does not make
/// them right: whoever wrote them may have been wrong, and looking up halves them.
fn in_order(entries: &[IndexEntry], summary: &IndexSummary) -> bool {
    let ascend = |pair: &[IndexEntry]| {
        pair[0].position < pair[1].position && pair[0].offset < pair[1].offset
    };
    let inside = |e: &IndexEntry| {
        e.position < summary.covered && (summary.base..summary.next).contains(&e.offset)
    };
    entries.windows(2).all(ascend) && entries.first().into_iter().chain(entries.last()).all(inside)
}

fn decode_entry(data: &[u8]) -> Option<IndexEntry> {
    let mut fields = Fields(data);
    let offset = Offset(fields.i64()?);
    let position = fields.u64()?;
    Some(IndexEntry { offset, position, max_timestamp_before: fields.i64()? })
}

/// Finds an entry in an index file by halving, so that sealed segments cost no memory: the last
/// entry for which `before` holds, or the first one.
pub(crate) fn find_in_file(
    file: &dyn File,
    entries: u32,
    before: impl Fn(&IndexEntry) -> bool,
) -> io::Result<Option<IndexEntry>> {
    if entries == 0 {
        return Ok(None);
    }
    let entry = |n: u32| {
        let mut data = [0; INDEX_ENTRY_BYTES];
        let position = INDEX_HEADER_BYTES as u64 + u64::from(n) * INDEX_ENTRY_BYTES as u64;
        read_exact_at(file, position, &mut data)?;
        decode_entry(&data).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    };
    let (mut low, mut high) = (0, entries);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if before(&entry(middle)?) {
            low = middle;
        } else {
            high = middle;
        }
    }
    entry(low).map(Some)
}

#[cfg(test)]
mod tests;
