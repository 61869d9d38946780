//! One partition's log: its public face, and the order in which things happen to it.

mod append;
mod errors;
mod read;
mod recovery;
mod retention;
mod sync;
mod time;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use crate::limits;
use crate::offset::Offset;
use crate::producers::Producers;
use crate::segment::{Place, Segment};
use crate::storage::Storage;

pub use errors::{AppendError, DeleteError, OpenError, ReadError, SyncError};
pub use read::ReadPlan;
pub(crate) use retention::{StartFault, load_start};
pub use sync::SyncPlan;
pub use time::TimePlan;

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
    /// How much more of the active segment may be on the disk before its index is saved: what the
    /// next start has to read at most, in bytes.
    pub checkpoint_bytes: u64,
    /// How much of the sealed segments may wait before [`Log::wants_sync`] asks for a sync.
    pub unsynced_bytes: u64,
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
            checkpoint_bytes: limits::CHECKPOINT_BYTES,
            unsynced_bytes: limits::UNSYNCED_BYTES,
            retention_ms: None,
            retention_bytes: None,
            timestamp_type: TimestampType::CreateTime,
            producer_expiry_ms: limits::PRODUCER_EXPIRY_MS,
            max_producers: limits::MAX_PRODUCERS,
        }
    }
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

/// One partition's log. It has one owner, who holds it under a lock; nothing in here blocks longer
/// than a write into the page cache, except what says so.
#[derive(Debug)]
pub struct Log {
    place: Arc<Place>,
    config: LogConfig,
    /// Oldest first; never empty. The last one is active.
    segments: VecDeque<Segment>,
    start: Offset,
    end: Offset,
    synced_end: Offset,
    producers: Producers,
    fenced: Option<String>,
    /// How often names in the directory changed.
    dir_changes: u64,
}

impl Log {
    /// Opens the log in `dir`, creating it if it is not there, and recovers it: what the last owner
    /// closed, or synced and indexed, is trusted; the rest is read and verified, and a torn tail
    /// is cut to the last whole batch. What was recovered beyond [`Log::synced_end`] is in the page
    /// cache, but perhaps not on the disk.
    ///
    /// # Errors
    /// [`OpenError`]; the text names the file and what to do.
    pub fn open(
        storage: Arc<dyn Storage>,
        dir: &str,
        config: LogConfig,
    ) -> Result<(Log, RecoveryReport), OpenError> {
        recovery::open(storage, dir, config)
    }

    /// Removes a closed log's directory so that it is gone after a crash, too.
    ///
    /// # Errors
    /// What the disk says; what is left is removed by calling it again.
    pub fn delete(storage: &dyn Storage, dir: &str) -> io::Result<()> {
        retention::delete_log(storage, dir)
    }

    /// Appends one or more batches that [`crate::batch::validate`] accepted, with one write. In
    /// the log they have their offsets (and times, with `LogAppendTime`); the sequence numbers of
    /// idempotent producers are checked. Success means: in the page cache, visible to reads.
    ///
    /// # Errors
    /// [`AppendError`]; after any error nothing of the records is kept.
    pub fn append(&mut self, records: &[u8], now_ms: i64) -> Result<Appended, AppendError> {
        self.append_batches(records, now_ms)
    }

    /// Refuses all further appends until the log is opened again; reads go on.
    pub fn fence(&mut self, reason: impl Into<String>) {
        let reason = self.fenced.get_or_insert_with(|| reason.into());
        tracing::error!(log = self.place.dir, reason, "the log takes no more records");
    }

    /// Why the log is fenced, if it is.
    pub fn fenced(&self) -> Option<&str> {
        self.fenced.as_deref()
    }

    /// First offset that can be read.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// Offset behind the last record: the one that the next append gets.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// The offset below which everything is known to be on the disk.
    pub fn synced_end(&self) -> Offset {
        self.synced_end
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    /// Bytes of the oldest segment, which [`Log::shrink`] would free; 0 if the log is empty.
    pub fn oldest_segment_bytes(&self) -> u64 {
        self.segments.front().filter(|s| !s.is_empty()).map_or(0, |s| s.size)
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// What is known about idempotent producers.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// The directory, as it was opened.
    pub fn dir(&self) -> &str {
        &self.place.dir
    }

    /// The settings in force.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Changes the settings; they apply from the next append or retention on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    fn active(&self) -> &Segment {
        self.segments.back().expect("a log has an active segment")
    }

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.back_mut().expect("a log has an active segment")
    }
}
