//! Look-ups by time, with the precision of a record.
//!
//! The index finds the batch; only that one batch is opened. If its records cannot be opened (a
//! compression that is damaged, or larger than the limit), the answer has the batch's precision:
//! its first offset and its highest timestamp. A consumer then reads some records too many, never
//! one too few.

use std::io;
use std::sync::Arc;

use super::Log;
use crate::batch::BatchHeader;
use crate::offset::Offset;
use crate::records;
use crate::scan::{Expected, Scanner, Step, Verify};
use crate::segment::{LazyFile, Lookup, SEGMENT_HEADER_BYTES, Segment, Target};
use crate::storage::{File, read_exact_at};

/// A look-up by time that was planned under the log's lock and runs outside of it.
#[derive(Debug)]
pub struct TimePlan {
    /// The lowest offset that may be the answer.
    start: Offset,
    wanted: Wanted,
    /// Oldest first.
    candidates: Vec<Candidate>,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    AtOrAfter(i64),
    Highest,
}

#[derive(Debug)]
struct Candidate {
    file: Arc<LazyFile>,
    lookup: Lookup,
    base: Offset,
    end: u64,
    max_timestamp: i64,
    /// Records below the log's start lie in it: its highest timestamp may be one of theirs.
    partly_deleted: bool,
}

impl Log {
    /// Plans a look-up of the first record at or after `timestamp`.
    pub fn plan_offset_for_time(&self, timestamp: i64) -> TimePlan {
        let candidates = self.segments.iter().filter_map(|segment| {
            let (max_timestamp, _) = segment.max_timestamp()?;
            (max_timestamp >= timestamp).then(|| {
                self.candidate(segment, max_timestamp, segment.lookup(Target::Time(timestamp)))
            })
        });
        let wanted = Wanted::AtOrAfter(timestamp);
        TimePlan { start: self.start, wanted, candidates: candidates.collect() }
    }

    /// The first record at or after `timestamp` and its timestamp; reads from the disk.
    ///
    /// # Errors
    /// As [`super::ReadPlan::read`].
    pub fn offset_for_time(&self, timestamp: i64) -> io::Result<Option<(Offset, i64)>> {
        self.plan_offset_for_time(timestamp).run()
    }

    /// Plans a look-up of the first record with the highest timestamp of all.
    pub fn plan_max_timestamp(&self) -> TimePlan {
        let candidates = self.segments.iter().filter_map(|segment| {
            let (max_timestamp, position) = segment.max_timestamp()?;
            Some(self.candidate(segment, max_timestamp, Lookup::Position(position)))
        });
        let candidates = candidates.collect();
        TimePlan { start: self.start, wanted: Wanted::Highest, candidates }
    }

    /// The first record with the highest timestamp of all; reads from the disk.
    ///
    /// # Errors
    /// As [`super::ReadPlan::read`].
    pub fn max_timestamp(&self) -> io::Result<Option<(Offset, i64)>> {
        self.plan_max_timestamp().run()
    }

    fn candidate(&self, segment: &Segment, max_timestamp: i64, lookup: Lookup) -> Candidate {
        let (file, base, end) = (Arc::clone(&segment.file), segment.base, segment.size);
        let partly_deleted = segment.base < self.start;
        Candidate { file, lookup, base, end, max_timestamp, partly_deleted }
    }
}

impl TimePlan {
    /// The first record whose timestamp is the wanted one or later, and its timestamp.
    ///
    /// # Errors
    /// As [`super::ReadPlan::read`].
    pub fn run(mut self) -> io::Result<Option<(Offset, i64)>> {
        let timestamp = match self.wanted {
            Wanted::AtOrAfter(timestamp) => timestamp,
            Wanted::Highest => {
                self.correct_partly_deleted()?;
                let Some(highest) = self.candidates.iter().map(|c| c.max_timestamp).max() else {
                    return Ok(None);
                };
                self.candidates.retain(|c| c.max_timestamp == highest);
                highest
            }
        };
        for candidate in &self.candidates {
            if let Some(found) = candidate.find(self.start, timestamp)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Finds out the highest timestamp of what is left of a segment that begins before the start.
    fn correct_partly_deleted(&mut self) -> io::Result<()> {
        let start = self.start;
        for candidate in self.candidates.iter_mut().filter(|c| c.partly_deleted) {
            let mut highest: Option<i64> = None;
            candidate.walk(SEGMENT_HEADER_BYTES, |file, position, header| {
                if header.base_offset >= start {
                    highest = highest.max(Some(header.max_timestamp));
                } else if header.last_offset() >= start {
                    let mut batch = vec![0; header.size()];
                    read_exact_at(file, position, &mut batch)?;
                    let left = records::max_timestamp(header, &batch, start);
                    highest = highest.max(left.unwrap_or(Some(header.max_timestamp)));
                }
                Ok(None::<()>)
            })?;
            candidate.lookup = Lookup::Position(SEGMENT_HEADER_BYTES);
            candidate.max_timestamp = highest.unwrap_or(i64::MIN);
        }
        self.candidates.retain(|c| c.max_timestamp > i64::MIN);
        Ok(())
    }
}

impl Candidate {
    fn find(&self, start: Offset, timestamp: i64) -> io::Result<Option<(Offset, i64)>> {
        let position = self.lookup.resolve(Target::Time(timestamp));
        self.walk(position, |file, position, header| {
            if header.max_timestamp < timestamp || header.last_offset() < start {
                return Ok(None);
            }
            let mut batch = vec![0; header.size()];
            read_exact_at(file, position, &mut batch)?;
            let found = records::find_by_time(header, &batch, start, timestamp);
            Ok(found.unwrap_or_else(|error| {
                let path = self.file.path();
                tracing::warn!(path, position, %error, "a batch cannot be opened to find a time");
                Some((header.base_offset.max(start), header.max_timestamp))
            }))
        })
    }

    /// Walks over the segment's batches until `visit` has an answer.
    fn walk<T>(
        &self,
        position: u64,
        mut visit: impl FnMut(&dyn File, u64, &BatchHeader) -> io::Result<Option<T>>,
    ) -> io::Result<Option<T>> {
        let file = self.file.open()?;
        let expected = Expected::AtLeast(self.base);
        let mut scanner = Scanner::new(&*file, Verify::Headers, position, self.end, expected);
        loop {
            let position = scanner.position();
            match scanner.step()? {
                Step::End => return Ok(None),
                Step::Batch(header) => {
                    if let Some(found) = visit(&*file, position, &header)? {
                        return Ok(Some(found));
                    }
                }
                Step::Bad(error) => {
                    let path = self.file.path();
                    let text = format!("{path} is damaged at byte {position}: {error}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
            }
        }
    }
}
