//! Which records of one partition are unfinished: the arithmetic behind each commit. A plain
//! state machine over offsets; it does no I/O and knows neither handlers nor Kafka's client.

use std::collections::VecDeque;
use std::ops::Range;

use crate::progress::{Progress, worst_case_chars};
use crate::service::limits::PROGRESS_MAX_CHARS;

#[cfg(test)]
mod tests;

/// The progress of one partition within one assignment.
///
/// Only *fetched* records count: offsets that Kafka skipped (compaction, markers, control
/// records) lie between fetched ones and are finished by that.
#[derive(Debug)]
pub(crate) struct Tracker {
    /// Records taken and not yet finished, ascending. Finished ones are only marked when they
    /// are not at the front, and swept out when they become the majority.
    open: VecDeque<Entry>,
    marked: usize,
    /// One beyond the highest offset taken; the position to commit when nothing is open.
    next: i64,
    /// Finished by an earlier owner of the partition and not passed yet.
    inherited: VecDeque<Range<i64>>,
    /// What the handlers' names take in the metadata.
    names_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: i64,
    finished: bool,
}

/// What to do with a fetched record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Run its handlers, then call [`Tracker::finish`].
    Run,
    /// An earlier owner of the partition has finished it.
    AlreadyFinished,
}

impl Tracker {
    /// Starts at the committed offset, with what its metadata says is finished beyond it.
    pub(crate) fn new(start: i64, inherited: Vec<Range<i64>>, names_bytes: usize) -> Tracker {
        Tracker {
            open: VecDeque::new(),
            marked: 0,
            next: start,
            inherited: inherited.into(),
            names_bytes,
        }
    }

    /// Whether the metadata would still fit if the next offset were taken and then everything
    /// beyond the lowest unfinished record finished in the worst order.
    ///
    /// Should Kafka skip offsets before the next record, the span may be larger than was reckoned
    /// here; then the metadata may have to leave something out, which costs a re-run, no more.
    pub(crate) fn admits_next(&self) -> bool {
        let Some(lowest) = self.open.front() else { return true };
        let span = self.next.abs_diff(lowest.offset) + 1;
        let unfinished = self.unfinished() + 1;
        worst_case_chars(self.names_bytes, span, unfinished) <= PROGRESS_MAX_CHARS
    }

    /// Takes a fetched record. Offsets must ascend.
    pub(crate) fn take(&mut self, offset: i64) -> Taken {
        debug_assert!(offset >= self.next, "a partition's records are fetched in order");
        self.next = offset + 1;
        while self.inherited.front().is_some_and(|run| run.end <= offset) {
            self.inherited.pop_front();
        }
        if self.inherited.front().is_some_and(|run| run.contains(&offset)) {
            return Taken::AlreadyFinished;
        }
        self.open.push_back(Entry { offset, finished: false });
        Taken::Run
    }

    /// A taken record is finished. Unknown offsets and second calls change nothing.
    pub(crate) fn finish(&mut self, offset: i64) {
        let Some(index) = self.index_of(offset) else { return };
        if std::mem::replace(&mut self.open[index].finished, true) {
            return;
        }
        self.marked += 1;
        while self.open.front().is_some_and(|entry| entry.finished) {
            self.open.pop_front();
            self.marked -= 1;
        }
        // Swept when half are marked, so the cost per record is constant and the memory follows
        // the unfinished ones, however long a single one hangs.
        if self.marked > 64 && self.marked * 2 > self.open.len() {
            self.open.retain(|entry| !entry.finished);
            self.marked = 0;
        }
    }

    /// The offset to commit: the lowest unfinished one.
    pub(crate) fn position(&self) -> i64 {
        self.open.front().map_or(self.next, |entry| entry.offset)
    }

    /// One beyond the highest offset taken.
    pub(crate) fn next_offset(&self) -> i64 {
        self.next
    }

    /// Whether this offset lies beyond everything taken.
    pub(crate) fn is_new(&self, offset: i64) -> bool {
        offset >= self.next
    }

    /// How many taken records are unfinished.
    pub(crate) fn unfinished(&self) -> usize {
        self.open.len() - self.marked
    }

    /// The commit's metadata for the current position.
    pub(crate) fn progress(&self, handlers: Vec<String>) -> Progress {
        let (committed, finished) = (self.position(), self.finished_beyond());
        Progress { committed, handlers, finished, ..Progress::default() }
    }

    /// What lies between the unfinished records, and what was inherited beyond the taken ones.
    fn finished_beyond(&self) -> Vec<Range<i64>> {
        let mut runs: Vec<Range<i64>> = Vec::new();
        let mut add = |start: i64, end: i64| match runs.last_mut() {
            _ if start >= end => {}
            Some(last) if last.end == start => last.end = end,
            _ => runs.push(start..end),
        };
        let mut at = self.position();
        for entry in self.open.iter().filter(|entry| !entry.finished) {
            add(at, entry.offset);
            at = entry.offset + 1;
        }
        add(at, self.next);
        for run in &self.inherited {
            add(run.start.max(self.next), run.end);
        }
        // With nothing open the position itself may be inherited as finished. It will be passed
        // when it is fetched; a commit says only what lies beyond it.
        let position = self.position();
        for run in &mut runs {
            run.start = run.start.max(position + 1);
        }
        runs.retain(|run| !run.is_empty());
        runs
    }

    fn index_of(&self, offset: i64) -> Option<usize> {
        // Nearly always nothing is missing between the front and the record.
        let front = self.open.front()?.offset;
        let guess = usize::try_from(offset - front).ok()?;
        if self.open.get(guess).is_some_and(|entry| entry.offset == offset) {
            return Some(guess);
        }
        self.open.binary_search_by_key(&offset, |entry| entry.offset).ok()
    }
}
