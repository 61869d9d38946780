//! One partition's log: its public face, and the order in which things happen to it.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use crate::batch::BatchError;
use crate::limits;
use crate::offset::Offset;
use crate::storage::Storage;

/// Which time a record has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// The time that its producer gave it.
    #[default]
    CreateTime,
    /// The time at which it was appended.
    LogAppendTime,
}

/// Settings of a log; all of them can be changed while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Size at which a segment is sealed, in bytes.
    pub segment_bytes: u64,
    /// Distance of two index entries, in bytes.
    pub index_interval_bytes: u64,
    /// Age, by the records' timestamps, at which a segment is removed; `None` keeps for ever.
    pub retention_ms: Option<u64>,
    /// Size above which the oldest segments are removed; `None` is unlimited.
    pub retention_bytes: Option<u64>,
    /// Which time records have.
    pub timestamp_type: TimestampType,
    /// Silence after which an idempotent producer is forgotten.
    pub producer_expiry_ms: i64,
    /// Most idempotent producers remembered.
    pub max_producers: usize,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: limits::SEGMENT_BYTES,
            index_interval_bytes: limits::INDEX_INTERVAL_BYTES,
            retention_ms: None,
            retention_bytes: None,
            timestamp_type: TimestampType::CreateTime,
            producer_expiry_ms: limits::PRODUCER_EXPIRY_MS,
            max_producers: limits::MAX_PRODUCERS,
        }
    }
}

/// Why a log (or a journal) could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A newer version of Tidings wrote the file.
    #[error(
        "{path} has format version {found}, this program knows versions up to {known}; \
         use the newer program that wrote it"
    )]
    NewerFormat {
        /// The file.
        path: String,
        /// Its version.
        found: u16,
        /// Newest version that this program reads.
        known: u16,
    },
    /// The file is not what its name says.
    #[error("{path} is not a {expected} of Tidings; move it away or restore it from a backup")]
    Foreign {
        /// The file.
        path: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The operating system said no.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// What opening a log found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// First offset that can be read.
    pub start: Offset,
    /// Offset behind the last whole batch.
    pub end: Offset,
    /// Bytes of segments that had to be read and verified.
    pub scanned_bytes: u64,
    /// Bytes of a torn tail that were cut off.
    pub cut_bytes: u64,
    /// Files in which whole batches beyond a damaged one were kept.
    pub kept_aside: Vec<String>,
    /// Sentences for the operator: what was damaged, cut, rebuilt.
    pub notes: Vec<String>,
}

impl RecoveryReport {
    /// Whether the log was as its last owner left it.
    pub fn is_clean(&self) -> bool {
        self.cut_bytes == 0 && self.kept_aside.is_empty() && self.notes.is_empty()
    }
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// First offset of the log that can be read.
    pub log_start: Offset,
    /// The time given to the records, when the log is set to `LogAppendTime`; else `None`.
    pub log_append_time: Option<i64>,
    /// An idempotent producer had sent the same before: nothing was written, and the offsets are
    /// those of the first time.
    pub duplicate: bool,
}

/// Why records were not appended. Nothing of them was kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The bytes are no record batches. The producer is at fault.
    #[error(transparent)]
    Invalid(#[from] BatchError),
    /// An earlier batch of this producer is missing. It may come when the producer sends again.
    #[error("producer {producer_id} sent sequence {found}, but {expected} is the next one")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// The sequence number that was due.
        expected: i32,
        /// The sequence number that came.
        found: i32,
    },
    /// The batch was appended before, too long ago to know at which offset.
    #[error("producer {producer_id} sent sequence {found} a second time")]
    DuplicateSequence {
        /// The producer.
        producer_id: i64,
        /// The sequence number that came.
        found: i32,
    },
    /// A newer instance of this producer has taken over.
    #[error("producer {producer_id} has epoch {current}, the batch comes from epoch {found}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: i64,
        /// The epoch in force.
        current: i16,
        /// The epoch that came.
        found: i16,
    },
    /// The disk is full; reads go on, and a later try may succeed.
    #[error("the disk is full; {log} takes no records until space is freed")]
    DiskFull {
        /// The log's directory.
        log: String,
    },
    /// A write or sync failed; reads go on, writes only after the log is opened again.
    #[error("{log} takes no records until it is opened again, because {reason}")]
    Fenced {
        /// The log's directory.
        log: String,
        /// What failed.
        reason: String,
    },
}

impl AppendError {
    /// Whether sending the same again may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, AppendError::DiskFull { .. } | AppendError::Fenced { .. })
    }
}

/// Why nothing can be read at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The offset is below the start or beyond the end.
    #[error("the log holds offsets {start} to {end}")]
    OutOfRange {
        /// First offset that can be read.
        start: Offset,
        /// Offset behind the last record.
        end: Offset,
    },
}

/// Why records could not be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// The offset lies beyond the end.
    #[error("the log ends at {end}")]
    OutOfRange {
        /// Offset behind the last record.
        end: Offset,
    },
    /// The new start could not be stored; nothing was deleted.
    #[error("cannot store the new start of {log}: {reason}")]
    Io {
        /// The log's directory.
        log: String,
        /// What failed.
        reason: String,
    },
}

/// A sync failed: nobody knows what is on the disk, and trying again may lie. Hand it to
/// [`Log::fence`], and acknowledge nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot sync {path}: {reason}")]
pub struct SyncError {
    /// The file or directory.
    pub path: String,
    /// What the operating system said.
    pub reason: String,
}

/// Why a segment was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalReason {
    /// Its newest record is older than the retention time.
    Time,
    /// The log is larger than its retention size.
    Size,
    /// Its records were deleted on request.
    Deleted,
    /// Memory was needed.
    Memory,
}

/// A segment that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedSegment {
    /// Its first offset.
    pub base: Offset,
    /// The offset behind its last record.
    pub next: Offset,
    /// Its size.
    pub bytes: u64,
    /// Why it had to go.
    pub reason: RemovalReason,
}

/// A read that was planned under the log's lock and runs outside of it.
#[derive(Debug)]
pub struct ReadPlan {}

impl ReadPlan {
    /// Reads whole batches: the one that holds the planned offset first, even if it alone is
    /// larger than `max_bytes`; none that reaches `up_to`. Empty at the end of the log.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::NotFound`] when retention removed the segment in
    /// between (plan again: the start has moved); [`io::ErrorKind::InvalidData`] for damage.
    pub fn read(self) -> io::Result<Bytes> {
        todo!()
    }
}

/// A sync that was planned under the log's lock and runs outside of it.
#[derive(Debug)]
pub struct SyncPlan {}

impl SyncPlan {
    /// Whether everything is on the disk already.
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// Syncs and returns the offset below which everything is on the disk; hand it to
    /// [`Log::synced`]. Plans of one log may run at the same time and in any order.
    ///
    /// # Errors
    /// [`SyncError`]; hand it to [`Log::fence`].
    pub fn run(self) -> Result<Offset, SyncError> {
        todo!()
    }
}

/// A look-up by time that was planned under the log's lock and runs outside of it.
#[derive(Debug)]
pub struct TimePlan {}

impl TimePlan {
    /// The first record whose timestamp is the wanted one or later, and its timestamp.
    ///
    /// # Errors
    /// As [`ReadPlan::read`].
    pub fn run(self) -> io::Result<Option<(Offset, i64)>> {
        todo!()
    }
}

/// One partition's log. It has one owner, who holds it under a lock; nothing in here blocks longer
/// than a write into the page cache, except what says so.
#[derive(Debug)]
pub struct Log {}

impl Log {
    /// Opens the log in `dir`, creating it if it is not there, and recovers it: what the last owner
    /// closed, or synced and indexed, is trusted; the rest is read and verified, and a torn tail
    /// is cut to the last whole batch.
    ///
    /// # Errors
    /// [`OpenError`]; the text names the file and what to do.
    pub fn open(
        storage: Arc<dyn Storage>,
        dir: &str,
        config: LogConfig,
    ) -> Result<(Log, RecoveryReport), OpenError> {
        let _ = (storage, dir, config);
        todo!()
    }

    /// Removes a closed log's directory so that it is gone after a crash, too.
    ///
    /// # Errors
    /// What the disk says; what is left is removed by calling it again.
    pub fn delete(storage: &dyn Storage, dir: &str) -> io::Result<()> {
        let _ = (storage, dir);
        todo!()
    }

    /// Appends one or more batches that [`crate::batch::validate`] accepted, with one write. Sets
    /// their offsets (and times, with `LogAppendTime`), and checks the sequence numbers of
    /// idempotent producers. Success means: in the page cache, visible to reads.
    ///
    /// # Errors
    /// [`AppendError`]; after any error nothing of the records is kept.
    pub fn append(&mut self, records: BytesMut, now_ms: i64) -> Result<Appended, AppendError> {
        let _ = (records, now_ms);
        todo!()
    }

    /// Plans a read at `from` of up to `max_bytes`, with no record at or beyond `up_to`.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] below the start or beyond the end; the end itself is fine.
    pub fn plan_read(
        &self,
        from: Offset,
        max_bytes: usize,
        up_to: Offset,
    ) -> Result<ReadPlan, ReadError> {
        let _ = (from, max_bytes, up_to);
        todo!()
    }

    /// Plans a sync of everything appended so far.
    pub fn plan_sync(&mut self) -> SyncPlan {
        todo!()
    }

    /// Whether sealed segments wait for a sync that would spare the next start from reading them.
    /// With durability `process` the owner runs a sync in the background when this says so.
    pub fn wants_sync(&self) -> bool {
        todo!()
    }

    /// Takes note that everything below `end` is on the disk.
    pub fn synced(&mut self, end: Offset) {
        let _ = end;
    }

    /// Refuses all further appends until the log is opened again; reads go on.
    pub fn fence(&mut self, reason: impl Into<String>) {
        let _ = reason.into();
    }

    /// Why the log is fenced, if it is.
    pub fn fenced(&self) -> Option<&str> {
        todo!()
    }

    /// First offset that can be read.
    pub fn start(&self) -> Offset {
        todo!()
    }

    /// Offset behind the last record: the one that the next append gets.
    pub fn end(&self) -> Offset {
        todo!()
    }

    /// The offset below which everything is known to be on the disk.
    pub fn synced_end(&self) -> Offset {
        todo!()
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }

    /// Bytes of the oldest segment, which [`Log::shrink`] would free; 0 if the log is empty.
    pub fn oldest_segment_bytes(&self) -> u64 {
        todo!()
    }

    /// The directory, as it was opened.
    pub fn dir(&self) -> &str {
        todo!()
    }

    /// The settings in force.
    pub fn config(&self) -> &LogConfig {
        todo!()
    }

    /// Changes the settings; they apply from the next append or retention on.
    pub fn set_config(&mut self, config: LogConfig) {
        let _ = config;
    }

    /// Plans a look-up of the first record at or after `timestamp`.
    pub fn plan_offset_for_time(&self, timestamp: i64) -> TimePlan {
        let _ = timestamp;
        todo!()
    }

    /// The first record at or after `timestamp` and its timestamp; reads from the disk.
    ///
    /// # Errors
    /// As [`ReadPlan::read`].
    pub fn offset_for_time(&self, timestamp: i64) -> io::Result<Option<(Offset, i64)>> {
        self.plan_offset_for_time(timestamp).run()
    }

    /// Plans a look-up of the first record with the highest timestamp of all.
    pub fn plan_max_timestamp(&self) -> TimePlan {
        todo!()
    }

    /// The first record with the highest timestamp of all; reads from the disk.
    ///
    /// # Errors
    /// As [`ReadPlan::read`].
    pub fn max_timestamp(&self) -> io::Result<Option<(Offset, i64)>> {
        self.plan_max_timestamp().run()
    }

    /// Removes segments that are too old or too many, oldest first, and forgets producers that
    /// have been silent for long. Removing files may take some milliseconds.
    pub fn retain(&mut self, now_ms: i64) -> Vec<RemovedSegment> {
        let _ = now_ms;
        todo!()
    }

    /// Deletes all records below `offset` (at most the end): the new start is stored, and segments
    /// wholly below it are removed. Returns the start, which never moves back.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub fn delete_before(&mut self, offset: Offset) -> Result<Offset, DeleteError> {
        let _ = offset;
        todo!()
    }

    /// Removes the oldest segment to free memory; the active one is sealed first if it is alone.
    pub fn shrink(&mut self) -> Option<RemovedSegment> {
        todo!()
    }

    /// Syncs, and saves what lets the next start trust everything unread.
    ///
    /// # Errors
    /// [`SyncError`]: the next start will verify what is not known to be on the disk.
    pub fn close(self) -> Result<(), SyncError> {
        todo!()
    }
}
