//! Syncing outside of the owner's lock, and what is saved once the segments are on the disk.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::{Log, SyncError};
use crate::offset::Offset;
use crate::producers;
use crate::segment::{FileName, LazyFile, Place, Save, Segment, SegmentIndex, UNSYNCED_FILE};
use crate::storage::OpenMode;

/// A sync that was planned under the log's lock and runs outside of it.
#[derive(Debug)]
pub struct SyncPlan {
    place: Arc<Place>,
    /// Oldest first: a later segment is never on the disk before an earlier one.
    files: Vec<Arc<LazyFile>>,
    /// Number of the newest change of names that is not known to be on the disk.
    dir_change: Option<u64>,
    saves: Vec<Save>,
    end: Offset,
}

impl SyncPlan {
    /// Whether everything is on the disk already.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.dir_change.is_none() && self.saves.is_empty()
    }

    /// The offset that [`SyncPlan::run`] will return.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Syncs and returns the offset below which everything is on the disk; hand it to
    /// [`Log::synced`]. Plans of one log may run at the same time and in any order.
    ///
    /// # Errors
    /// [`SyncError`]; hand it to [`Log::fence`]. After one failure all plans of this log fail.
    pub fn run(self) -> Result<Offset, SyncError> {
        {
            let mut failed = self.place.failed_sync.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(error) = &*failed {
                return Err(error.clone());
            }
            if let Err(error) = self.sync() {
                *failed = Some(error.clone());
                self.place.mark_unsynced();
                return Err(error);
            }
        }
        // Only now: a saved index says that the segment is on the disk.
        for save in &self.saves {
            save.run(&self.place);
        }
        Ok(self.end)
    }

    fn sync(&self) -> Result<(), SyncError> {
        for file in &self.files {
            let synced = file.open().and_then(|f| f.sync_data());
            synced.map_err(|error| sync_error(file.path(), &error))?;
        }
        if let Some(change) = self.dir_change {
            let synced = self.place.storage.sync_dir(&self.place.dir);
            synced.map_err(|error| sync_error(self.place.dir.clone(), &error))?;
            self.place.synced_changes.fetch_max(change, Ordering::AcqRel);
        }
        Ok(())
    }
}

impl Place {
    /// For the next start, which may be this minute and then finds what was not synced in the page
    /// cache, whole and in order.
    fn mark_unsynced(&self) {
        let path = self.path(UNSYNCED_FILE);
        if let Err(error) = self.storage.open(&path, OpenMode::Create) {
            tracing::warn!(path, %error, "cannot note that a sync failed");
        }
    }
}

fn sync_error(path: String, error: &io::Error) -> SyncError {
    SyncError { path, reason: error.to_string() }
}

impl Log {
    /// Plans a sync of everything appended so far.
    pub fn plan_sync(&mut self) -> SyncPlan {
        let active = self.active();
        let synced = if active.synced { active.size } else { 0 };
        let unsaved = active.size - active.covered.load(Ordering::Acquire).min(active.size);
        let checkpoint = synced < active.size && unsaved >= self.config.checkpoint_bytes;
        self.plan(if checkpoint { Active::SyncAndSave } else { Active::Sync })
    }

    /// Plans a sync of the sealed segments only: an append that meets the sync of its own file
    /// waits for the disk, and for no good where it is acknowledged without.
    pub fn plan_sync_sealed(&mut self) -> SyncPlan {
        self.plan(Active::Leave)
    }

    fn plan(&mut self, active: Active) -> SyncPlan {
        let mut files = Vec::new();
        let mut saves = Vec::new();
        for segment in self.sealed_newest_first().take_while(|segment| !at_rest(segment)) {
            if !segment.synced {
                files.push(Arc::clone(&segment.file));
            }
            saves.extend(segment.save(segment.producers.clone()));
        }
        let segment = self.active();
        if active != Active::Leave && !segment.synced {
            files.insert(0, Arc::clone(&segment.file));
        }
        if active == Active::SyncAndSave {
            let snapshot = producers::encode(&self.producers, self.end);
            saves.splice(..0, segment.save(Some(Arc::new(snapshot))));
        }
        files.reverse();
        saves.reverse();
        // Each plan syncs the names until one has done it: a later plan may end before an earlier.
        let known = self.place.synced_changes.load(Ordering::Acquire);
        let dir_change = Some(self.dir_changes).filter(|change| *change > known);
        let end = if active == Active::Leave { segment.base } else { self.end };
        SyncPlan { place: Arc::clone(&self.place), files, dir_change, saves, end }
    }

    /// Whether so much waits for a sync that the next start would take long to verify it. An owner
    /// that acknowledges without syncs runs a [`Log::plan_sync_sealed`] in the background then.
    pub fn wants_sync(&self) -> bool {
        let waiting = self.sealed_newest_first().take_while(|segment| !segment.synced);
        waiting.map(|segment| segment.size).sum::<u64>() >= self.config.unsynced_bytes.max(1)
    }

    fn sealed_newest_first(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().rev().skip(1)
    }

    /// Takes note that everything below `end` is on the disk.
    pub fn synced(&mut self, end: Offset) {
        self.synced_end = self.synced_end.max(end.min(self.end));
        let synced_end = self.synced_end;
        let active_base = self.active().base;
        for segment in self.segments.iter_mut().rev() {
            if at_rest(segment) && segment.base != active_base {
                break;
            }
            segment.synced |= segment.next <= synced_end && !segment.is_empty();
            if segment.base != active_base {
                segment.rest(&self.place);
            }
        }
    }

    /// Syncs, and saves what lets the next start trust everything unread.
    ///
    /// # Errors
    /// [`SyncError`]: the next start will verify what is not known to be on the disk.
    pub fn close(mut self) -> Result<(), SyncError> {
        if let Some(reason) = &self.fenced {
            return Err(SyncError { path: self.place.dir.clone(), reason: reason.clone() });
        }
        self.plan(Active::SyncAndSave).run().map(drop)
    }
}

/// What a plan does with the active segment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Active {
    Leave,
    Sync,
    SyncAndSave,
}

/// Whether a segment needs neither a sync nor a save. All before it are at rest, too.
fn at_rest(segment: &Segment) -> bool {
    segment.synced && matches!(segment.index, SegmentIndex::Saved { .. })
}

impl Segment {
    /// What is to be saved of it, unless that is saved already.
    pub(crate) fn save(&self, producers: Option<Arc<Vec<u8>>>) -> Option<Save> {
        let SegmentIndex::Memory(index) = &self.index else { return None };
        (self.covered.load(Ordering::Acquire) < self.size).then(|| Save {
            base: self.base,
            summary: self.summary(index),
            index: Arc::clone(index),
            covered: Arc::clone(&self.covered),
            producers,
        })
    }

    /// Gives back the memory of a sealed segment's index once its file has all of it.
    fn rest(&mut self, place: &Arc<Place>) {
        let SegmentIndex::Memory(index) = &self.index else { return };
        if !self.synced || self.covered.load(Ordering::Acquire) < self.size {
            return;
        }
        let entries = index.entries.len() as u32;
        let summary = self.summary(index);
        let file = LazyFile::new(place, FileName::index(self.base));
        self.index = SegmentIndex::Saved { file, entries, summary };
        self.producers = None;
    }
}
