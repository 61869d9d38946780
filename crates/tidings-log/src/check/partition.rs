//! Verifies one partition's files against each other.

use super::PartitionCheck;
use crate::batch::{BatchError, BatchHeader};
use crate::file_header::{HeaderFault, SEGMENT};
use crate::index::{self, IndexBuilder, IndexEntry, IndexFault, IndexSummary};
use crate::log::{StartFault, load_start};
use crate::offset::Offset;
use crate::producers;
use crate::scan::{Expected, Scanner, Step, Verify};
use crate::segment::{FileName, SEGMENT_HEADER_BYTES, segment_header};
use crate::storage::{Entry, File, OpenMode, Storage, join, read_all};

/// A snapshot has at most some hundred bytes per producer.
const SNAPSHOT_LIMIT_BYTES: u64 = 1 << 30;

pub(super) fn check_partition(
    storage: &dyn Storage,
    dir: &str,
    entries: &[Entry],
    in_use: bool,
) -> PartitionCheck {
    let check = PartitionCheck { dir: dir.to_owned(), ..PartitionCheck::default() };
    let mut checker = Checker { storage, dir, in_use, check, expected: None };
    let names: Vec<(FileName, u64)> = entries
        .iter()
        .filter(|entry| !entry.is_dir)
        .map(|entry| (FileName::parse(&entry.name), entry.size))
        .collect();
    let segments: Vec<(Offset, u64)> = names
        .iter()
        .filter_map(|(name, size)| match name {
            FileName::Segment(base) => Some((*base, *size)),
            _ => None,
        })
        .collect();
    checker.check.start = segments.first().map_or(Offset::ZERO, |(base, _)| *base);
    if names.iter().any(|(name, _)| *name == FileName::Start) {
        checker.start();
    }
    for (n, (base, size)) in segments.iter().enumerate() {
        let has_index = names.iter().any(|(name, _)| *name == FileName::Index(*base));
        checker.segment(*base, *size, has_index, n + 1 == segments.len());
    }
    for (name, _) in names {
        match name {
            FileName::Producers(at) => checker.producers(at),
            FileName::Index(base) if !segments.iter().any(|(b, _)| *b == base) => {
                checker.note(format!("{} has no segment", FileName::index(base)));
            }
            FileName::Temporary => checker.note("a half-written file is not used".to_owned()),
            _ => {}
        }
    }
    if checker.check.start > checker.check.end {
        let (start, end) = (checker.check.start, checker.check.end);
        checker
            .note(format!("start {start} lies beyond the end {end}: the next start begins there"));
    }
    checker.check
}

struct Checker<'a> {
    storage: &'a dyn Storage,
    dir: &'a str,
    in_use: bool,
    check: PartitionCheck,
    /// The offset that the next segment must begin with.
    expected: Option<Offset>,
}

impl Checker<'_> {
    fn error(&mut self, text: String) {
        self.check.errors.push(text);
    }

    fn note(&mut self, text: String) {
        self.check.notes.push(text);
    }

    /// Something that is wrong, unless a broker is at work: then the file may just have changed.
    fn fault(&mut self, text: String) {
        if self.in_use {
            self.note(format!("{text} (a broker is writing)"));
        } else {
            self.error(text);
        }
    }

    fn start(&mut self) {
        let path = join(self.dir, "start");
        match load_start(self.storage, &path) {
            Ok(Ok(start)) => self.check.start = self.check.start.max(start),
            Ok(Err(StartFault::Damaged)) => self.error(format!("{path} is damaged")),
            Ok(Err(StartFault::Newer(version))) => self.error(newer(&path, version)),
            Err(error) => self.fault(format!("cannot read {path}: {error}")),
        }
    }

    fn producers(&mut self, at: Offset) {
        let path = join(self.dir, &FileName::producers(at));
        let data = match read_all(self.storage, &path, SNAPSHOT_LIMIT_BYTES) {
            Ok(data) => data,
            Err(error) => return self.fault(format!("cannot read {path}: {error}")),
        };
        match producers::decode(&data) {
            Ok((_, offset)) if offset != at => {
                self.error(format!("{path} says that it was taken at offset {offset}"));
            }
            Ok((_, offset)) if offset > self.check.end => {
                self.fault(format!("{path} lies beyond the end {}", self.check.end));
            }
            Ok(_) => {}
            Err(_) if data.is_empty() => {
                self.note(format!("{path} was not written before the power went: not used"));
            }
            Err(error) => self.error(format!("{path}: {error}")),
        }
    }

    fn is_empty_file(&self, path: &str) -> bool {
        let opened = self.storage.open(path, OpenMode::Read);
        opened.and_then(|file| file.size()).is_ok_and(|size| size == 0)
    }

    fn segment(&mut self, base: Offset, size: u64, has_index: bool, is_last: bool) {
        self.check.bytes += size;
        let path = join(self.dir, &FileName::segment(base));
        if let Some(expected) = self.expected.filter(|expected| *expected != base) {
            self.error(format!("{path} begins where offset {expected} should"));
        }
        let file = match self.storage.open(&path, OpenMode::Read) {
            Ok(file) => file,
            Err(error) => return self.fault(format!("cannot open {path}: {error}")),
        };
        self.header(&*file, base, size, is_last, &path);
        let mut index = self.index(base, size, has_index, is_last);
        let scanned = self.batches(&*file, base, size, is_last, index.as_mut(), &path);
        match scanned {
            Ok(next) => {
                self.expected = Some(next);
                self.check.end = next;
            }
            Err(error) => self.fault(format!("cannot read {path}: {error}")),
        }
        if let Some(index) = index {
            let path = join(self.dir, &FileName::index(base));
            self.check.errors.extend(index.faults(&path));
        }
    }

    fn header(&mut self, file: &dyn File, base: Offset, size: u64, is_last: bool, path: &str) {
        let mut head = [0; SEGMENT_HEADER_BYTES as usize];
        match file.read_at(0, &mut head) {
            Ok(_) if head[..] == segment_header(base)[..] => {}
            Ok(_) if is_last && size <= SEGMENT_HEADER_BYTES => {
                self.note(format!("{path} was just begun: the next start writes its header"));
            }
            Ok(_) => match SEGMENT.check(&head) {
                Err(HeaderFault::Newer(version)) => self.error(newer(path, version)),
                _ => self.error(format!("{path} has a damaged header")),
            },
            Err(error) => self.fault(format!("cannot read {path}: {error}")),
        }
    }

    fn index(&mut self, base: Offset, size: u64, present: bool, is_last: bool) -> Option<Index> {
        let path = join(self.dir, &FileName::index(base));
        if !present {
            if !is_last {
                self.note(format!("{path} is missing: the next start builds it"));
            }
            return None;
        }
        let read = self.storage.open(&path, OpenMode::Read).and_then(|file| {
            let head = match index::read_head(&*file)? {
                Ok(head) => head,
                Err(fault) => return Ok(Err(fault)),
            };
            let entries = index::read_entries(&*file, &head)?;
            Ok(entries.map(|entries| (head.summary, entries)))
        });
        match read {
            Ok(Ok((summary, _))) if summary.base != base || summary.covered > size => {
                self.fault(format!("{path} does not fit its segment"));
                None
            }
            Ok(Ok((summary, entries))) => Some(Index::new(summary, entries)),
            Ok(Err(IndexFault::Damaged)) if self.is_empty_file(&path) => {
                self.note(format!("{path} was not written before the power went: not used"));
                None
            }
            Ok(Err(IndexFault::Damaged)) => {
                self.error(format!("{path} is damaged: the next start builds it"));
                None
            }
            Ok(Err(IndexFault::Newer(version))) => {
                self.error(newer(&path, version));
                None
            }
            Err(error) => {
                self.fault(format!("cannot read {path}: {error}"));
                None
            }
        }
    }

    fn batches(
        &mut self,
        file: &dyn File,
        base: Offset,
        size: u64,
        is_last: bool,
        mut index: Option<&mut Index>,
        path: &str,
    ) -> std::io::Result<Offset> {
        let (start, verify) = (SEGMENT_HEADER_BYTES, Verify::Checksums);
        let mut scanner = Scanner::new(file, verify, start, size, Expected::AtLeast(base));
        let mut next = base;
        loop {
            let position = scanner.position();
            match scanner.step()? {
                Step::Batch(header) => {
                    if header.base_offset != next {
                        let text = format!("{path}: at byte {position} offset {next} should come");
                        self.error(format!("{text}, not {}", header.base_offset));
                    }
                    next = header.next_offset();
                    self.count(&header);
                    if let Some(index) = index.as_deref_mut() {
                        index.batch(&header, position, scanner.position());
                    }
                }
                Step::End => return Ok(next),
                Step::Bad(error) => {
                    let follows = scanner.resynchronise()?;
                    let zeros = follows.is_none() && is_zero(file, position, size)?;
                    let short = matches!(error, BatchError::Truncated { .. }) || zeros;
                    let torn = is_last && follows.is_none() && (short || self.in_use);
                    let left = size - position;
                    if torn {
                        self.note(format!(
                            "{path} is torn at byte {position}: the next start cuts {left} bytes"
                        ));
                    } else {
                        self.error(format!("{path} is damaged at byte {position}: {error}"));
                    }
                    // The gap is part of this damage and not one more.
                    next = follows.map_or(next, |header| header.base_offset);
                }
            }
        }
    }

    fn count(&mut self, header: &BatchHeader) {
        let below = self.check.start.since(header.base_offset).max(0);
        let records = i64::from(header.record_count) - below;
        if records > 0 {
            self.check.records += records as u64;
            self.check.batches += 1;
        }
    }
}

/// An index that is compared with the batches as they come by.
struct Index {
    summary: IndexSummary,
    entries: Vec<IndexEntry>,
    /// How many entries were found to point at a batch.
    matched: usize,
    /// Built from the batches up to where the index ends.
    rebuilt: IndexBuilder,
    next_at_covered: Option<Offset>,
}

impl Index {
    fn new(summary: IndexSummary, entries: Vec<IndexEntry>) -> Index {
        let empty = summary.covered == SEGMENT_HEADER_BYTES;
        let next_at_covered = empty.then_some(summary.base);
        Index { summary, entries, matched: 0, rebuilt: IndexBuilder::default(), next_at_covered }
    }

    fn batch(&mut self, header: &BatchHeader, position: u64, end: u64) {
        if position >= self.summary.covered {
            return;
        }
        self.rebuilt.add(header, position, 0);
        let built = self.rebuilt.entries.pop();
        let wanted = self.entries.get(self.matched);
        if wanted.is_some() && wanted == built.as_ref() {
            self.matched += 1;
        }
        if end == self.summary.covered {
            self.next_at_covered = Some(header.next_offset());
        }
    }

    fn faults(&self, path: &str) -> Option<String> {
        if let Some(entry) = self.entries.get(self.matched) {
            let (offset, position) = (entry.offset, entry.position);
            return Some(format!("{path} points at byte {position} for offset {offset}: no batch"));
        }
        let summary = &self.summary;
        let (max_timestamp, at) = self.rebuilt.max_timestamp().unwrap_or((-1, 0));
        let same = self.next_at_covered == Some(summary.next)
            && (max_timestamp, at) == (summary.max_timestamp, summary.max_timestamp_position);
        (!same).then(|| format!("{path} does not say what its segment holds"))
    }
}

fn newer(path: &str, version: u16) -> String {
    format!("{path} has format version {version}, newer than this program knows")
}

fn is_zero(file: &dyn File, mut position: u64, end: u64) -> std::io::Result<bool> {
    let mut chunk = [0; 4096];
    while position < end {
        let want = chunk.len().min((end - position) as usize);
        let got = file.read_at(position, &mut chunk[..want])?;
        if got == 0 || chunk[..got].iter().any(|byte| *byte != 0) {
            return Ok(got == 0);
        }
        position += got as u64;
    }
    Ok(true)
}
