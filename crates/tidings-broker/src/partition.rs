//! One partition: the only owner of its log. Appends, makes durable, and wakes those who wait.
//!
//! The log stands behind a mutex that is held for memory and page-cache work only. Syncs and reads
//! are planned under it and run outside of it. Group commit: while one sync runs, appends go on
//! and wait together for the next, so one `fdatasync` serves all that waits.
//!
//! Order of a write at durability `power`: append (page cache) -> sync -> high watermark moves ->
//! acknowledgement and waiting fetches, in this order; nothing above the high watermark is ever
//! shown to anybody, so nothing that was seen can be lost.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidings_log::{
    AppendError, Appended, DeleteError, Log, LogConfig, Offset, ReadPlan, RecoveryReport,
    RemovedSegment, SyncError, TimePlan,
};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::blocking;
use crate::config::Durability;
use crate::limits::INLINE_READ_BYTES;
use crate::watchers::Watchers;

/// Index of a partition within its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartitionId(pub(crate) i32);

impl std::fmt::Display for PartitionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How far the partition is safe, and whether it still takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress {
    /// Below it everything has the promised durability.
    high_watermark: Offset,
    /// A write or sync failed: what is above the high watermark will never be acknowledged.
    fenced: bool,
    /// The topic was deleted.
    gone: bool,
}

/// Why an appended batch will not be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotDurable {
    /// The log is fenced.
    Fenced,
    /// The topic was deleted meanwhile.
    Gone,
}

/// One partition. Shared by `Arc`; see the module for what runs where.
#[derive(Debug)]
pub(crate) struct Partition {
    /// `topic[partition]`, for messages.
    name: String,
    durability: Durability,
    runtime: Handle,
    state: Mutex<State>,
    progress: watch::Sender<Progress>,
    watchers: Watchers,
}

#[derive(Debug)]
struct State {
    /// `None` once the partition is closed or deleted.
    log: Option<Log>,
    /// Whether a sync task runs.
    syncing: bool,
}

/// The offsets that a client is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) start: Offset,
    pub(crate) high_watermark: Offset,
}

/// The partition is closed: its topic was deleted, or the broker stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

impl Partition {
    /// Takes over an opened log. What recovery kept counts as durable: at `power` the log is
    /// synced here, before anybody sees it.
    pub(crate) fn new(
        name: String,
        durability: Durability,
        runtime: Handle,
        mut log: Log,
        report: &RecoveryReport,
    ) -> Result<Arc<Partition>, SyncError> {
        if durability == Durability::Power && log.synced_end() < log.end() {
            let end = log.plan_sync().run()?;
            log.synced(end);
        }
        for note in &report.notes {
            tracing::warn!(partition = %name, "{note}");
        }
        let high_watermark = log.end();
        let progress = Progress { high_watermark, fenced: false, gone: false };
        Ok(Arc::new(Partition {
            name,
            durability,
            runtime,
            state: Mutex::new(State { log: Some(log), syncing: false }),
            progress: watch::Sender::new(progress),
            watchers: Watchers::default(),
        }))
    }

    /// Appends validated batches. They are safe once [`Partition::durable`] says so.
    pub(crate) fn append(
        self: &Arc<Partition>,
        records: &[u8],
        now_ms: i64,
    ) -> Result<Appended, NotAppended> {
        let mut state = self.state();
        let log = state.log.as_mut().ok_or(NotAppended::Closed)?;
        let appended = match log.append(records, now_ms) {
            Ok(appended) => appended,
            Err(error) => {
                let fenced = matches!(error, AppendError::Fenced { .. });
                drop(state);
                if fenced {
                    self.fenced(&error.to_string());
                }
                return Err(NotAppended::Log(error));
            }
        };
        if appended.duplicate {
            return Ok(appended);
        }
        match self.durability {
            Durability::Process => {
                let end = log.end();
                let behind = log.wants_sync();
                if behind && !state.syncing {
                    state.syncing = true;
                    self.spawn_sync();
                }
                drop(state);
                self.advance(end);
            }
            Durability::Power => {
                if !state.syncing {
                    state.syncing = true;
                    self.spawn_sync();
                }
            }
        }
        Ok(appended)
    }

    /// Waits until everything below `end` is as durable as promised.
    pub(crate) async fn durable(&self, end: Offset) -> Result<(), NotDurable> {
        let mut progress = self.progress.subscribe();
        let seen = progress
            .wait_for(|now| now.high_watermark >= end || now.fenced || now.gone)
            .await
            .map_err(|_| NotDurable::Gone)?;
        match *seen {
            now if now.high_watermark >= end => Ok(()),
            now if now.gone => Err(NotDurable::Gone),
            _ => Err(NotDurable::Fenced),
        }
    }

    /// `topic[partition]`.
    #[cfg(feature = "mutants")]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Those who wait for anything to happen here.
    pub(crate) fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    /// First offset and high watermark.
    pub(crate) fn bounds(&self) -> Result<Bounds, Closed> {
        let start = self.state().log.as_ref().ok_or(Closed)?.start();
        Ok(Bounds { start, high_watermark: self.progress.borrow().high_watermark })
    }

    /// Plans a read below the high watermark; run it outside of any lock.
    pub(crate) fn plan_read(&self, from: Offset, max_bytes: usize) -> Result<Planned, NotRead> {
        let high_watermark = self.progress.borrow().high_watermark;
        let state = self.state();
        let log = state.log.as_ref().ok_or(NotRead::Closed)?;
        let bounds = Bounds { start: log.start(), high_watermark };
        #[cfg(feature = "mutants")]
        let high_watermark = crate::mutants::visible(high_watermark, log.end());
        if from > high_watermark {
            return Err(NotRead::OutOfRange);
        }
        match log.plan_read(from, max_bytes, high_watermark) {
            Ok(plan) => {
                let likely_bytes = likely_bytes(log, high_watermark.since(from)).min(max_bytes);
                Ok(Planned { plan, bounds, likely_bytes })
            }
            Err(_) => Err(NotRead::OutOfRange),
        }
    }

    /// Plans the look-up of the first record at or after a time.
    pub(crate) fn plan_offset_for_time(&self, timestamp: i64) -> Result<TimePlan, Closed> {
        Ok(self.state().log.as_ref().ok_or(Closed)?.plan_offset_for_time(timestamp))
    }

    /// Plans the look-up of the record with the highest timestamp.
    pub(crate) fn plan_max_timestamp(&self) -> Result<TimePlan, Closed> {
        Ok(self.state().log.as_ref().ok_or(Closed)?.plan_max_timestamp())
    }

    /// Deletes the records below `offset` and returns the new start. Blocks on the disk.
    pub(crate) fn delete_before(&self, offset: Offset) -> Result<Offset, NotDeleted> {
        let mut state = self.state();
        let log = state.log.as_mut().ok_or(NotDeleted::Closed)?;
        let start = log.delete_before(offset).map_err(NotDeleted::Log)?;
        drop(state);
        self.watchers.wake();
        Ok(start)
    }

    /// Applies retention. Blocks on the disk.
    pub(crate) fn retain(&self, now_ms: i64) -> Vec<RemovedSegment> {
        let removed = self.state().log.as_mut().map_or_else(Vec::new, |log| log.retain(now_ms));
        if !removed.is_empty() {
            self.watchers.wake();
        }
        removed
    }

    /// Gives up the oldest segment to free memory.
    pub(crate) fn shrink(&self) -> Option<RemovedSegment> {
        let removed = self.state().log.as_mut().and_then(Log::shrink);
        if removed.is_some() {
            self.watchers.wake();
        }
        removed
    }

    /// Bytes of all segments.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.state().log.as_ref().map_or(0, Log::size_bytes)
    }

    /// Changes the log's settings.
    pub(crate) fn set_config(&self, config: LogConfig) {
        if let Some(log) = self.state().log.as_mut() {
            log.set_config(config);
        }
    }

    /// Syncs and closes the log. Blocks on the disk. Whoever waits is told that it is over.
    pub(crate) fn close(&self) -> Result<(), SyncError> {
        let log = self.state().log.take();
        let closed = log.map_or(Ok(()), Log::close);
        self.end();
        closed
    }

    /// Takes the log away, because the topic is deleted or the broker dropped.
    pub(crate) fn delete(&self) {
        self.state().log = None;
        self.end();
    }

    fn end(&self) {
        self.progress.send_modify(|now| now.gone = true);
        self.watchers.wake();
    }

    fn spawn_sync(self: &Arc<Partition>) {
        let partition = self.clone();
        self.runtime.spawn_blocking(move || partition.sync_until_idle());
    }

    /// Syncs until nothing new has been appended during the last sync.
    fn sync_until_idle(&self) {
        loop {
            let mut guard = self.state();
            let state = &mut *guard;
            let Some(log) = state.log.as_mut() else {
                state.syncing = false;
                return;
            };
            let plan = match self.durability {
                Durability::Power => log.plan_sync(),
                Durability::Process => log.plan_sync_sealed(),
            };
            if plan.is_empty() {
                state.syncing = false;
                let end = log.synced_end();
                drop(guard);
                self.advance(end);
                return;
            }
            drop(guard);
            match plan.run() {
                Ok(end) => {
                    if let Some(log) = self.state().log.as_mut() {
                        log.synced(end);
                    }
                    self.advance(end);
                }
                Err(error) => {
                    let mut state = self.state();
                    state.syncing = false;
                    if let Some(log) = state.log.as_mut() {
                        log.fence(error.to_string());
                    }
                    drop(state);
                    self.fenced(&error.to_string());
                    return;
                }
            }
            if self.durability == Durability::Process {
                self.state().syncing = false;
                return;
            }
        }
    }

    fn advance(&self, end: Offset) {
        let moved = self.progress.send_if_modified(|now| {
            let forward = end > now.high_watermark;
            if forward {
                now.high_watermark = end;
            }
            forward
        });
        if moved {
            self.watchers.wake();
        }
    }

    fn fenced(&self, reason: &str) {
        let first = self.progress.send_if_modified(|now| !std::mem::replace(&mut now.fenced, true));
        if first {
            tracing::error!(
                partition = %self.name,
                "takes no more records, reads go on; restart the broker when the cause is gone: \
                 {reason}"
            );
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The log's own invariants hold between its calls: a panic elsewhere does not taint them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nothing was appended.
#[derive(Debug)]
pub(crate) enum NotAppended {
    Log(AppendError),
    Closed,
}

/// Why nothing can be read.
#[derive(Debug)]
pub(crate) enum NotRead {
    OutOfRange,
    Closed,
}

/// Why nothing was deleted.
#[derive(Debug)]
pub(crate) enum NotDeleted {
    Log(DeleteError),
    Closed,
}

/// A read that can be carried out without any lock.
#[derive(Debug)]
pub(crate) struct Planned {
    plan: ReadPlan,
    likely_bytes: usize,
    pub(crate) bounds: Bounds,
}

impl Planned {
    /// How many bytes it will find, by the average size of the log's records; at least 1 if any.
    pub(crate) fn likely_bytes(&self) -> usize {
        self.likely_bytes
    }

    /// Reads, on a thread that may block if it is likely to be much.
    pub(crate) async fn read(self) -> io::Result<Bytes> {
        let plan = self.plan;
        if self.likely_bytes <= INLINE_READ_BYTES {
            return plan.read();
        }
        blocking::run(move || plan.read()).await
    }
}

/// How much so many records of this log are, if they are as large as its others.
fn likely_bytes(log: &Log, records: i64) -> usize {
    let all = log.end().since(log.start()).max(1).unsigned_abs();
    let bytes = log.size_bytes().saturating_mul(records.unsigned_abs()) / all;
    let bytes = bytes.max(u64::from(records > 0));
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
