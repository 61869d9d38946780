//! Opening a log after whatever happened to it.
//!
//! A sound index file says how much of its segment was synced; that much is trusted (but for a
//! second look at the very end). What lies behind the last trusted byte is read and verified batch
//! by batch, and cut at the first that is not whole: a torn write. What is damaged *before* it
//! was whole once and is kept: its index is rebuilt around the damage, and the report says so.
//! Nothing that was a whole batch is thrown away: beyond a cut it is kept aside in a file.

mod inventory;
mod middle;
mod tail;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use self::inventory::{Inventory, SegmentFile};
use super::retention::{START_FILE, StartFault, load_start};
use super::{Log, LogConfig, OpenError, RecoveryReport};
use crate::file_header::{PRODUCERS, START};
use crate::index::{IndexBuilder, IndexSummary};
use crate::offset::Offset;
use crate::producers::{self, Producers, SnapshotError};
use crate::segment::{FileName, Place, Segment, UNSYNCED_FILE};
use crate::storage::{Storage, read_all};

/// A snapshot has at most some hundred bytes per producer.
const SNAPSHOT_LIMIT_BYTES: u64 = 1 << 30;

pub(super) fn open(
    storage: Arc<dyn Storage>,
    dir: &str,
    config: LogConfig,
) -> Result<(Log, RecoveryReport), OpenError> {
    let created = storage.create_dir(dir).map_err(|e| io_error("create directory", dir, e))?;
    let place = Arc::new(Place::new(storage, dir));
    let mut recovery = Recovery {
        place,
        config,
        report: RecoveryReport::default(),
        producers: Producers::new(),
        changed: created,
        rewrites: false,
    };
    let mut inventory = Inventory::take(&mut recovery)?;
    recovery.rewrites = inventory.has_unsynced;
    let stored_start = recovery.stored_start(&inventory)?;
    let trusted = recovery.last_trusted(&mut inventory.segments)?;
    recovery.load_producers(&inventory, trusted.as_ref())?;
    let synced_end = trusted.as_ref().map(|t| t.summary.next);
    let segments = recovery.recover_segments(inventory.segments, trusted, stored_start)?;
    recovery.forget_failed_sync()?;
    Ok(recovery.finish(segments, stored_start, synced_end))
}

pub(super) fn io_error(action: &'static str, path: &str, source: io::Error) -> OpenError {
    OpenError::Io { action, path: path.to_owned(), source }
}

/// The state of one opening.
struct Recovery {
    place: Arc<Place>,
    config: LogConfig,
    report: RecoveryReport,
    producers: Producers,
    /// Whether names in the directory changed.
    changed: bool,
    /// Whether what is not known to be on the disk has to be written again, as a sync failed.
    rewrites: bool,
}

/// The last segment of which anything is known to have been on the disk; all before it were, too.
struct Trusted {
    /// Its place among the segments.
    at: usize,
    summary: IndexSummary,
    index: IndexBuilder,
}

impl Recovery {
    fn note(&mut self, text: String) {
        tracing::warn!(log = self.place.dir, "{text}");
        self.report.notes.push(text);
    }

    /// Removes a file that only repeats what the segments say. One that stays is found again.
    fn remove_derived(&mut self, path: &str) {
        self.changed |= self.place.storage.remove(path).is_ok();
    }

    /// All that a failed sync may have left out was written again and synced.
    fn forget_failed_sync(&mut self) -> Result<(), OpenError> {
        if !self.rewrites {
            return Ok(());
        }
        let place = Arc::clone(&self.place);
        let dir = &place.dir;
        place.storage.sync_dir(dir).map_err(|error| io_error("sync", dir, error))?;
        self.note(format!("a sync of {dir} had failed: its end was written again and synced"));
        self.remove_derived(&place.path(UNSYNCED_FILE));
        Ok(())
    }

    fn stored_start(&mut self, inventory: &Inventory) -> Result<Option<Offset>, OpenError> {
        if !inventory.has_start {
            return Ok(None);
        }
        let path = self.place.path(START_FILE);
        let loaded = load_start(&*self.place.storage, &path);
        match loaded.map_err(|error| io_error("read", &path, error))? {
            Ok(start) => Ok(Some(start)),
            Err(StartFault::Newer(found)) => {
                Err(OpenError::NewerFormat { path, found, known: START.version })
            }
            Err(StartFault::Damaged) => {
                self.note(format!("{path} is damaged: deleted records can be read again"));
                Ok(None)
            }
        }
    }

    /// Loads the newest snapshot of what is trusted, and replays the trusted records behind it.
    fn load_producers(
        &mut self,
        inventory: &Inventory,
        trusted: Option<&Trusted>,
    ) -> Result<(), OpenError> {
        let Some(first) = inventory.segments.first() else { return Ok(()) };
        let end = trusted.map_or(first.base, |t| t.summary.next);
        let mut found = None;
        for at in inventory.snapshots.iter().rev().copied() {
            let path = self.place.path(&FileName::producers(at));
            let data = read_all(&*self.place.storage, &path, SNAPSHOT_LIMIT_BYTES)
                .map_err(|error| io_error("read", &path, error))?;
            match producers::decode(&data) {
                Ok((producers, offset)) if offset == at && at <= end => {
                    found.get_or_insert((producers, at));
                    self.place.snapshots.lock().expect("nobody else has it yet").push(at);
                }
                // What lies beyond the trusted end will be read, and may turn out to be gone.
                Ok((_, offset)) if offset == at => self.remove_derived(&path),
                Err(SnapshotError::Newer(found)) => {
                    return Err(OpenError::NewerFormat { path, found, known: PRODUCERS.version });
                }
                _ => {
                    self.note(format!("{path} is damaged: replaying the log instead"));
                    self.remove_derived(&path);
                }
            }
        }
        let (producers, replay_from) = found.unwrap_or((Producers::new(), first.base));
        self.producers = producers;
        if let Some(trusted) = trusted {
            self.replay(&inventory.segments[..=trusted.at], &trusted.summary, replay_from)?;
        }
        Ok(())
    }

    fn recover_segments(
        &mut self,
        files: Vec<SegmentFile>,
        mut trusted: Option<Trusted>,
        stored_start: Option<Offset>,
    ) -> Result<VecDeque<Segment>, OpenError> {
        let bases: Vec<Offset> = files.iter().map(|file| file.base).collect();
        let mut segments = VecDeque::new();
        let mut broken = false;
        for (n, file) in files.into_iter().enumerate() {
            if broken {
                self.set_aside(&file)?;
                continue;
            }
            let next_base = bases.get(n + 1).copied();
            if let (Some(last), Some(next_base)) = (&trusted, next_base)
                && n < last.at
            {
                segments.push_back(self.keep(file, next_base)?);
                continue;
            }
            let known = trusted.take_if(|t| t.at == n);
            let (mut segment, cut) = self.recover_tail(&file, known)?;
            if next_base.is_some() {
                let snapshot = producers::encode(&self.producers, segment.next);
                segment.producers = Some(Arc::new(snapshot));
            }
            let gap = next_base.is_some_and(|base| base != segment.next);
            if gap && !cut {
                let path = self.place.path(&FileName::segment(file.base));
                self.note(format!("{path} ends at offset {}, before the next one", segment.next));
            }
            broken = cut || gap;
            segments.push_back(segment);
        }
        // Deleted records may be lost together with the end behind them, but their offsets were
        // told to clients: none of them is given to another record.
        let end = segments.back().map(|segment: &Segment| segment.next);
        if end.is_none() || stored_start > end {
            if let Some(last) = segments.back_mut() {
                let snapshot = producers::encode(&self.producers, last.next);
                last.producers = Some(Arc::new(snapshot));
            }
            let base = stored_start.unwrap_or(Offset::ZERO);
            let segment = Segment::create(&self.place, base).map_err(|error| {
                io_error("create", &self.place.path(&FileName::segment(base)), error)
            })?;
            segments.push_back(segment);
            self.changed = true;
        }
        Ok(segments)
    }

    fn finish(
        mut self,
        segments: VecDeque<Segment>,
        stored_start: Option<Offset>,
        synced_end: Option<Offset>,
    ) -> (Log, RecoveryReport) {
        let first = segments.front().map_or(Offset::ZERO, |s| s.base);
        let end = segments.back().map_or(Offset::ZERO, |s| s.next);
        let start = first.max(stored_start.unwrap_or(first)).min(end);
        self.producers.limit(self.config.max_producers);
        // An index is saved after the names were synced. Without one, a process that was killed may
        // have left names behind that only the page cache knows.
        let trusted = segments.back().is_some_and(|segment| segment.synced);
        let names_synced = trusted && !self.changed;
        self.report.start = start;
        self.report.end = end;
        let mut log = Log {
            place: self.place,
            config: self.config,
            segments,
            start,
            end,
            synced_end: synced_end.unwrap_or(first).clamp(start, end),
            producers: self.producers,
            fenced: None,
            dir_changes: u64::from(!names_synced),
        };
        log.remove_below_start();
        (log, self.report)
    }
}
