//! What makes a log shorter at its beginning: age, size, deletion on request, need of memory.

use std::io;

use super::{DeleteError, Log, RemovalReason, RemovedSegment};
use crate::file_header::{FILE_HEADER_BYTES, Fields, HeaderFault, START};
use crate::offset::Offset;
use crate::segment::{FileName, Place, Segment};
use crate::storage::{OpenMode, Storage, read_all};

/// Name of the file that holds the start offset once records were deleted on request.
pub(super) const START_FILE: &str = "start";
/// Far more than the file has.
const START_FILE_LIMIT_BYTES: u64 = 4096;

impl Log {
    /// Removes segments that are too old or too many, oldest first, and forgets producers that
    /// have been silent for long. Removing files may take some milliseconds.
    pub fn retain(&mut self, now_ms: i64) -> Vec<RemovedSegment> {
        let (expiry_ms, most) = (self.config.producer_expiry_ms, self.config.max_producers);
        self.producers.expire(now_ms, expiry_ms, most);
        let mut removed = Vec::new();
        while let Some(reason) = self.removal_due(now_ms) {
            // The active segment is only ever removed when all of it is too old: seal it first.
            if self.segments.len() == 1 && self.roll().is_err() {
                break;
            }
            let Some(segment) = self.remove_oldest(reason) else { break };
            removed.push(segment);
        }
        removed
    }

    fn removal_due(&self, now_ms: i64) -> Option<RemovalReason> {
        let oldest = self.segments.front().filter(|s| !s.is_empty())?;
        if let Some(retention_ms) = self.config.retention_ms {
            // Without a timestamp nobody knows how old records are: they stay.
            let newest = oldest.max_timestamp().map(|(ts, _)| ts).filter(|ts| *ts >= 0);
            let keep_ms = i64::try_from(retention_ms).unwrap_or(i64::MAX);
            if newest.is_some_and(|ts| now_ms.saturating_sub(ts) > keep_ms) {
                return Some(RemovalReason::Time);
            }
        }
        let limit = self.config.retention_bytes?;
        let without = self.size_bytes() - oldest.size;
        (self.segments.len() > 1 && without >= limit).then_some(RemovalReason::Size)
    }

    /// Deletes all records below `offset` (at most the end): the new start is stored, and segments
    /// wholly below it are removed. Returns the start, which never moves back. Syncs a small file.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub fn delete_before(&mut self, offset: Offset) -> Result<Offset, DeleteError> {
        if offset > self.end {
            return Err(DeleteError::OutOfRange { end: self.end });
        }
        if offset <= self.start {
            return Ok(self.start);
        }
        store_start(&self.place, offset).map_err(|error| DeleteError::Io {
            log: self.place.dir.clone(),
            reason: error.to_string(),
        })?;
        self.start = offset;
        // If no new segment can be begun, the bytes stay for a while; they cannot be read.
        if offset == self.end && !self.active().is_empty() && self.roll().is_err() {
            return Ok(self.start);
        }
        self.remove_below_start();
        Ok(self.start)
    }

    pub(super) fn remove_below_start(&mut self) {
        let below = |segment: &Segment, start| segment.next <= start;
        while self.segments.len() > 1 && self.segments.front().is_some_and(|s| below(s, self.start))
        {
            if self.remove_oldest(RemovalReason::Deleted).is_none() {
                return;
            }
        }
    }

    /// Removes the oldest segment to free memory; the active one is sealed first if it is alone.
    pub fn shrink(&mut self) -> Option<RemovedSegment> {
        if self.segments.len() == 1 {
            if self.active().is_empty() {
                return None;
            }
            self.roll().ok()?;
        }
        self.remove_oldest(RemovalReason::Memory)
    }

    /// Removes the oldest of at least two segments; `None` if the disk does not let it go.
    fn remove_oldest(&mut self, reason: RemovalReason) -> Option<RemovedSegment> {
        let oldest = self.segments.front().filter(|_| self.segments.len() > 1)?;
        let removed =
            RemovedSegment { base: oldest.base, next: oldest.next, bytes: oldest.size, reason };
        oldest.save_producers(&self.place);
        // The segment goes first: an index without one is removed by the next start.
        for name in [FileName::segment(removed.base), FileName::index(removed.base)] {
            let path = self.place.path(&name);
            match self.place.storage.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path, %error, "cannot remove a segment, trying again later");
                    if name == FileName::segment(removed.base) {
                        return None;
                    }
                }
                _ => {}
            }
        }
        self.segments.pop_front();
        self.dir_changes += 1;
        let first = self.segments.front().map_or(self.end, |s| s.base);
        self.start = self.start.max(first);
        self.synced_end = self.synced_end.max(self.start);
        Some(removed)
    }
}

/// Stores the start so that it survives power loss.
fn store_start(place: &Place, start: Offset) -> io::Result<()> {
    let mut content = START.header().to_vec();
    content.extend_from_slice(&start.value().to_be_bytes());
    let crc = crc32c::crc32c(&content[FILE_HEADER_BYTES..]);
    content.extend_from_slice(&crc.to_be_bytes());
    let (path, temporary) = (place.path(START_FILE), place.path("start.tmp"));
    let stored = (|| {
        let file = place.storage.open(&temporary, OpenMode::Create)?;
        file.write_at(0, &content)?;
        file.sync_data()?;
        place.storage.rename(&temporary, &path)?;
        place.storage.sync_dir(&place.dir)
    })();
    if stored.is_err() {
        let _ = place.storage.remove(&temporary);
    }
    stored
}

/// Why a stored start cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartFault {
    /// Its bytes are not what was written.
    Damaged,
    /// A newer program wrote it.
    Newer(u16),
}

/// Reads the stored start.
pub(crate) fn load_start(
    storage: &dyn Storage,
    path: &str,
) -> io::Result<Result<Offset, StartFault>> {
    let data = read_all(storage, path, START_FILE_LIMIT_BYTES)?;
    match START.check(&data) {
        Ok(_) => {}
        Err(HeaderFault::Newer(version)) => return Ok(Err(StartFault::Newer(version))),
        Err(HeaderFault::Foreign) => return Ok(Err(StartFault::Damaged)),
    }
    let mut fields = Fields(&data[FILE_HEADER_BYTES..]);
    let start = fields.i64().zip(fields.u32());
    let sound = start.filter(|(start, crc)| {
        fields.0.is_empty() && *crc == crc32c::crc32c(&start.to_be_bytes()) && *start >= 0
    });
    Ok(sound.map(|(start, _)| Offset(start)).ok_or(StartFault::Damaged))
}

/// Removes a log's directory: first its name, so that a crash leaves none that looks like a log.
pub(super) fn delete_log(storage: &dyn Storage, dir: &str) -> io::Result<()> {
    let grave = format!("{dir}.deleted");
    let remove = |dir: &str| match storage.remove_tree(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    };
    remove(&grave)?;
    match storage.rename(dir, &grave) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result?,
    }
    storage.sync_dir(dir.rsplit_once('/').map_or("", |(parent, _)| parent))?;
    remove(&grave)
}
