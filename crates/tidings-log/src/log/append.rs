//! Appending: check the producers, set the offsets, one write, then take note; and rolling.
//!
//! A batch's records go to the file from wherever the caller has them; only the header, in which
//! the offset stands, is copied.

use std::ops::Range;
use std::sync::Arc;

use super::{AppendError, Appended, Log, TimestampType};
use crate::batch::{
    BatchError, BatchHeader, batches, patch_base_offset, patch_leader_epoch, patch_log_append_time,
};
use crate::limits::BATCH_HEADER_BYTES;
use crate::offset::Offset;
use crate::producers::{self, SequenceError, Sequenced, Staged, Verdict};
use crate::segment::{Segment, SegmentIndex};
use crate::storage::is_full;

/// There is one broker and it always leads: its epoch never changes.
const LEADER_EPOCH: i32 = 0;

impl Log {
    pub(super) fn append_batches(
        &mut self,
        records: &[u8],
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        self.refuse_if_fenced()?;
        let mut found: Vec<(BatchHeader, Range<usize>)> =
            batches(records).collect::<Result<_, BatchError>>()?;
        self.assign_offsets(&mut found)?;
        if let Some(duplicate) = self.check_producers(&found)? {
            return Ok(duplicate);
        }
        let active = self.active();
        let full = active.size + records.len() as u64 > self.config.segment_bytes;
        if full && !active.is_empty() {
            self.roll()?;
        }
        let (headers, log_append_time) = self.headers(records, &mut found, now_ms);
        self.write(&parts(records, &found, &headers))?;
        self.take_note(&found, now_ms);
        let (first, last) = (&found[0].0, &found[found.len() - 1].0);
        Ok(Appended {
            base_offset: first.base_offset,
            last_offset: last.last_offset(),
            log_start: self.start,
            log_append_time,
            duplicate: false,
        })
    }

    pub(super) fn refuse_if_fenced(&self) -> Result<(), AppendError> {
        match &self.fenced {
            None => Ok(()),
            Some(reason) => {
                let (log, reason) = (self.place.dir.clone(), reason.clone());
                Err(AppendError::Fenced { log, reason })
            }
        }
    }

    fn assign_offsets(&self, found: &mut [(BatchHeader, Range<usize>)]) -> Result<(), BatchError> {
        if found.is_empty() {
            return Err(BatchError::Empty);
        }
        let mut next = self.end;
        for (header, _) in found {
            let (records, last_delta) = (header.record_count, header.last_offset_delta);
            if last_delta < 0 || next.value().checked_add(i64::from(last_delta) + 1).is_none() {
                return Err(BatchError::Count { records, last_delta });
            }
            header.base_offset = next;
            next = header.next_offset();
        }
        Ok(())
    }

    /// The answer for batches that were appended before, or `None` if all are new.
    fn check_producers(
        &self,
        found: &[(BatchHeader, Range<usize>)],
    ) -> Result<Option<Appended>, AppendError> {
        let mut staged = Staged::new(&self.producers);
        let mut known: Option<(Offset, Offset)> = None;
        let mut new = false;
        for (header, _) in found {
            let Some(batch) = Sequenced::of(header) else {
                new = true;
                continue;
            };
            let verdict = staged
                .check(&batch, header.base_offset)
                .map_err(|error| refusal(batch.producer_id, error))?;
            match verdict {
                Verdict::New => new = true,
                Verdict::Duplicate { base_offset, last_offset } => {
                    known = Some((known.map_or(base_offset, |(first, _)| first), last_offset));
                }
            }
            if new && known.is_some() {
                // Half of it was appended before: no answer would be true for the whole.
                let (producer_id, found) = (batch.producer_id, batch.first);
                return Err(AppendError::DuplicateSequence { producer_id, found });
            }
        }
        Ok(known.map(|(base_offset, last_offset)| Appended {
            base_offset,
            last_offset,
            log_start: self.start,
            log_append_time: None,
            duplicate: true,
        }))
    }

    /// The headers as they are to be written, and the time of the append if the log sets one.
    fn headers(
        &self,
        records: &[u8],
        found: &mut [(BatchHeader, Range<usize>)],
        now_ms: i64,
    ) -> (Vec<[u8; BATCH_HEADER_BYTES]>, Option<i64>) {
        let append_time = self.config.timestamp_type == TimestampType::LogAppendTime;
        let headers = found.iter_mut().map(|(header, range)| {
            let (bytes, behind) = split(&records[range.clone()]);
            let mut bytes = *bytes;
            patch_base_offset(&mut bytes, header.base_offset);
            patch_leader_epoch(&mut bytes, LEADER_EPOCH);
            if append_time {
                patch_log_append_time(&mut bytes, behind, now_ms);
                header.max_timestamp = now_ms;
            }
            bytes
        });
        (headers.collect(), append_time.then_some(now_ms))
    }

    /// One write behind the last whole batch. If it fails, what was written of it is cut off before
    /// anything else happens, or the log takes nothing more.
    fn write(&mut self, parts: &[&[u8]]) -> Result<(), AppendError> {
        let active = self.active();
        let (size, lazy) = (active.size, Arc::clone(&active.file));
        let error = match lazy.open().and_then(|file| file.write_parts_at(size, parts)) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let path = lazy.path();
        let undone = lazy.open().and_then(|file| file.truncate(size));
        match undone {
            Ok(()) if is_full(&error) => {
                return Err(AppendError::DiskFull { log: self.place.dir.clone() });
            }
            Ok(()) => self.fence(format!("writing {path} failed: {error}")),
            Err(second) => self.fence(format!(
                "writing {path} failed: {error}; and cutting off what was written: {second}"
            )),
        }
        self.refuse_if_fenced()
    }

    fn take_note(&mut self, found: &[(BatchHeader, Range<usize>)], now_ms: i64) {
        let interval = self.config.index_interval_bytes;
        let active = self.segments.back_mut().expect("a log has an active segment");
        active.synced = false;
        for (header, range) in found {
            if let SegmentIndex::Memory(index) = &mut active.index {
                let position = active.size + range.start as u64;
                Arc::make_mut(index).add(header, position, interval);
            }
            if let Some(batch) = Sequenced::of(header) {
                self.producers.record(&batch, header.base_offset, Some(now_ms));
            }
            self.end = header.next_offset();
        }
        active.size += found.last().map_or(0, |(_, range)| range.end as u64);
        active.next = self.end;
        self.producers.limit(self.config.max_producers);
    }

    /// Seals the active segment and begins a new one. Its sync and its index file are left to the
    /// next plan, so that no append waits for them.
    pub(super) fn roll(&mut self) -> Result<(), AppendError> {
        self.refuse_if_fenced()?;
        let segment = match Segment::create(&self.place, self.end) {
            Ok(segment) => segment,
            Err(error) if is_full(&error) => {
                return Err(AppendError::DiskFull { log: self.place.dir.clone() });
            }
            Err(error) => {
                self.fence(format!("beginning a new segment failed: {error}"));
                return self.refuse_if_fenced();
            }
        };
        let snapshot = Arc::new(producers::encode(&self.producers, self.end));
        self.active_mut().producers = Some(snapshot);
        self.segments.push_back(segment);
        self.dir_changes += 1;
        Ok(())
    }
}

/// What is written of each batch: its new header, and the rest as it came.
fn parts<'a>(
    records: &'a [u8],
    found: &[(BatchHeader, Range<usize>)],
    headers: &'a [[u8; BATCH_HEADER_BYTES]],
) -> Vec<&'a [u8]> {
    let batches = found.iter().zip(headers);
    let parts = batches.flat_map(|((_, range), header)| {
        let (_, behind) = split(&records[range.clone()]);
        [&header[..], behind]
    });
    parts.collect()
}

fn split(batch: &[u8]) -> (&[u8; BATCH_HEADER_BYTES], &[u8]) {
    batch.split_first_chunk().expect("a parsed batch has a header")
}

fn refusal(producer_id: i64, error: SequenceError) -> AppendError {
    match error {
        SequenceError::OutOfOrder { expected, found } => {
            AppendError::OutOfOrderSequence { producer_id, expected, found }
        }
        SequenceError::Duplicate { found } => AppendError::DuplicateSequence { producer_id, found },
        SequenceError::OldEpoch { current, found } => {
            AppendError::InvalidProducerEpoch { producer_id, current, found }
        }
    }
}
