//! Walks the batches of a segment file from a position on, verifying as much as asked.

use std::io;

use crate::batch::{BatchError, BatchHeader, verify_crc};
use crate::limits::{BATCH_HEADER_BYTES, MAX_BATCH_BYTES, SCAN_CHUNK_BYTES};
use crate::offset::Offset;
use crate::storage::File;

/// What stands at a position of a segment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A whole batch.
    Batch(BatchHeader),
    /// The end.
    End,
    /// Something else.
    Bad(BatchError),
}

/// Which offset the next batch must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// This one: batches follow each other without gaps.
    Exactly(Offset),
    /// This one or a later one: the walk begins within a segment.
    AtLeast(Offset),
}

/// Whether checksums are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Headers only.
    Headers,
    /// Headers and checksums.
    Checksums,
}

/// A walk over a segment file, reading large chunks ahead.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    file: &'a dyn File,
    verify: Verify,
    position: u64,
    end: u64,
    expected: Expected,
    window: Vec<u8>,
    window_start: u64,
}

impl<'a> Scanner<'a> {
    /// Starts at `position`, where a batch with the `expected` offset should begin, and goes no
    /// further than `end`.
    pub(crate) fn new(
        file: &'a dyn File,
        verify: Verify,
        position: u64,
        end: u64,
        expected: Expected,
    ) -> Scanner<'a> {
        let window_start = position;
        Scanner { file, verify, position, end, expected, window: Vec::new(), window_start }
    }

    /// Where the next step looks.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Looks at the current position, and steps over a whole batch.
    ///
    /// # Errors
    /// What the disk says; damage is a [`Step`].
    pub(crate) fn step(&mut self) -> io::Result<Step> {
        let left = self.end.saturating_sub(self.position);
        if left == 0 {
            return Ok(Step::End);
        }
        let head = self.bytes(self.position, BATCH_HEADER_BYTES)?;
        let header = match BatchHeader::parse(head) {
            Ok(header) => header,
            Err(error) => return Ok(Step::Bad(error)),
        };
        if let Some(error) = self.implausible(&header, left) {
            return Ok(Step::Bad(error));
        }
        if self.verify == Verify::Checksums {
            let batch = self.bytes(self.position, header.size())?;
            if let Err(error) = verify_crc(&header, batch) {
                return Ok(Step::Bad(error));
            }
        }
        self.position += header.size() as u64;
        self.expected = match self.expected {
            Expected::Exactly(_) => Expected::Exactly(header.next_offset()),
            Expected::AtLeast(_) => Expected::AtLeast(header.next_offset()),
        };
        Ok(Step::Batch(header))
    }

    fn implausible(&self, header: &BatchHeader, left: u64) -> Option<BatchError> {
        let size = header.size();
        if size > MAX_BATCH_BYTES {
            return Some(BatchError::TooLarge { size, limit: MAX_BATCH_BYTES });
        }
        if size as u64 > left {
            return Some(BatchError::Truncated { need: size, have: left as usize });
        }
        // A compacted batch may hold fewer records than its offsets span, never more.
        let (records, last_delta) = (header.record_count, header.last_offset_delta);
        if last_delta < 0 || records < 0 || records - 1 > last_delta {
            return Some(BatchError::Count { records, last_delta });
        }
        let found = header.base_offset;
        let (fits, expected) = match self.expected {
            Expected::Exactly(expected) => (found == expected, expected),
            Expected::AtLeast(expected) => (found >= expected, expected),
        };
        (!fits).then_some(BatchError::Offset { found, expected })
    }

    /// From a bad place on, looks for the next whole batch with a sound checksum; leaves the walk
    /// there and returns its header, or leaves it at the end.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn resynchronise(&mut self) -> io::Result<Option<BatchHeader>> {
        let verify = std::mem::replace(&mut self.verify, Verify::Checksums);
        let before = self.expected;
        if let Expected::Exactly(next) = before {
            // How many records the damage took is not known.
            self.expected = Expected::AtLeast(next.next());
        }
        let found = self.search();
        self.verify = verify;
        self.expected = match (before, &found) {
            (Expected::Exactly(_), Ok(Some(header))) => Expected::Exactly(header.base_offset),
            _ => before,
        };
        found
    }

    fn search(&mut self) -> io::Result<Option<BatchHeader>> {
        const MAGIC_AT: usize = 16;
        // Bytes that look like headers may stand anywhere in records; computing the checksum of
        // each must not take for ever.
        let mut budget = (self.end - self.position).saturating_mul(4);
        self.position += 1;
        while self.position < self.end {
            self.bytes(self.position, MAGIC_AT + 1)?;
            let start = (self.position - self.window_start) as usize;
            let window = self.window.get(start..).unwrap_or_default();
            let Some(magics) = window.get(MAGIC_AT..).filter(|m| !m.is_empty()) else { break };
            let Some(ahead) = magics.iter().position(|byte| *byte == 2) else {
                self.position += magics.len() as u64;
                continue;
            };
            let claimed = BatchHeader::parse(&window[ahead..]).map_or(0, |h| h.size() as u64);
            self.position += ahead as u64;
            let before = (self.position, self.expected);
            if let Step::Batch(header) = self.step()? {
                (self.position, self.expected) = before;
                return Ok(Some(header));
            }
            budget = budget.saturating_sub(claimed.min(self.end - self.position));
            if budget == 0 {
                break;
            }
            self.position += 1;
        }
        self.position = self.end;
        Ok(None)
    }

    /// Up to `count` bytes at `position`, fewer at the end.
    fn bytes(&mut self, position: u64, count: usize) -> io::Result<&[u8]> {
        let count = count.min((self.end - position) as usize);
        let window_end = self.window_start + self.window.len() as u64;
        if position < self.window_start || position + count as u64 > window_end {
            let ahead = count.max(SCAN_CHUNK_BYTES).min((self.end - position) as usize);
            self.window.resize(ahead, 0);
            let got = self.file.read_at(position, &mut self.window)?;
            self.window.truncate(got);
            self.window_start = position;
        }
        let start = (position - self.window_start) as usize;
        let end = (start + count).min(self.window.len());
        Ok(self.window.get(start..end).unwrap_or_default())
    }
}
