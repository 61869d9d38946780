//! What lies in a log's directory, and how much of it can be trusted unread.

use super::{OpenError, Recovery, Trusted, io_error};
use crate::file_header::INDEX;
use crate::index::{self, IndexBuilder, IndexFault, IndexHead};
use crate::limits::TAIL_VERIFY_BYTES;
use crate::offset::Offset;
use crate::scan::{Expected, Scanner, Step, Verify};
use crate::segment::{FileName, SEGMENT_HEADER_BYTES};
use crate::storage::{File, OpenMode};

/// The files of a log.
pub(super) struct Inventory {
    /// By base offset.
    pub segments: Vec<SegmentFile>,
    /// Offsets of the producer snapshots, ascending.
    pub snapshots: Vec<Offset>,
    pub has_start: bool,
    /// Whether a sync failed before.
    pub has_unsynced: bool,
}

/// A segment as it lies on the disk.
pub(super) struct SegmentFile {
    pub base: Offset,
    pub size: u64,
    /// The head of its index, if there is a sound one that fits.
    pub head: Option<IndexHead>,
}

impl Inventory {
    /// Lists the directory, removes what a crash left half-written, and reads the indexes' heads.
    pub(super) fn take(recovery: &mut Recovery) -> Result<Inventory, OpenError> {
        let place = std::sync::Arc::clone(&recovery.place);
        let listed = place.storage.list(&place.dir);
        let listed = listed.map_err(|error| io_error("list", &place.dir, error))?;
        let mut inventory = Inventory {
            segments: Vec::new(),
            snapshots: Vec::new(),
            has_start: false,
            has_unsynced: false,
        };
        let mut indexes = Vec::new();
        for entry in listed.iter().filter(|entry| !entry.is_dir) {
            match FileName::parse(&entry.name) {
                FileName::Segment(base) => {
                    inventory.segments.push(SegmentFile { base, size: entry.size, head: None });
                }
                FileName::Index(base) => indexes.push(base),
                FileName::Producers(at) => inventory.snapshots.push(at),
                FileName::Start => inventory.has_start = true,
                FileName::Unsynced => inventory.has_unsynced = true,
                FileName::Temporary => {
                    // One that stays is only a small file too many.
                    let _ = place.storage.remove(&place.path(&entry.name));
                }
                FileName::Other => {}
            }
        }
        for base in indexes {
            match inventory.segments.binary_search_by_key(&base, |file| file.base) {
                Ok(at) => recovery.read_head(&mut inventory.segments[at])?,
                // Its segment was removed, and then the power went.
                Err(_) => drop(place.storage.remove(&place.path(&FileName::index(base)))),
            }
        }
        Ok(inventory)
    }
}

impl Recovery {
    fn read_head(&mut self, file: &mut SegmentFile) -> Result<(), OpenError> {
        let path = self.place.path(&FileName::index(file.base));
        let head = self
            .place
            .storage
            .open(&path, OpenMode::Read)
            .and_then(|opened| index::read_head(&*opened))
            .map_err(|error| io_error("read", &path, error))?;
        match head {
            Err(IndexFault::Newer(found)) => {
                Err(OpenError::NewerFormat { path, found, known: INDEX.version })
            }
            Err(IndexFault::Damaged) => {
                self.note(format!("{path} is damaged and will be built again"));
                self.remove_derived(&path);
                Ok(())
            }
            Ok(head) => {
                let summary = &head.summary;
                let fits = summary.base == file.base
                    && summary.next >= file.base
                    && (SEGMENT_HEADER_BYTES..=file.size).contains(&summary.covered);
                if fits {
                    file.head = Some(head);
                } else {
                    self.note(format!("{path} does not fit its segment; reading that instead"));
                    self.remove_derived(&path);
                }
                Ok(())
            }
        }
    }

    /// The last segment whose index is sound and whose covered end is what it should be.
    pub(super) fn last_trusted(
        &mut self,
        files: &mut [SegmentFile],
    ) -> Result<Option<Trusted>, OpenError> {
        for (at, file) in files.iter_mut().enumerate().rev() {
            let Some(head) = &file.head else { continue };
            if let Some(index) = self.verify_covered_end(file.base, head)? {
                return Ok(Some(Trusted { at, summary: head.summary, index }));
            }
            file.head = None;
        }
        Ok(None)
    }

    /// Reads the index, and the last covered bytes of the segment, and verifies both.
    fn verify_covered_end(
        &mut self,
        base: Offset,
        head: &IndexHead,
    ) -> Result<Option<IndexBuilder>, OpenError> {
        let storage = &self.place.storage;
        let index_path = self.place.path(&FileName::index(base));
        let entries = storage
            .open(&index_path, OpenMode::Read)
            .and_then(|file| index::read_entries(&*file, head))
            .map_err(|error| io_error("read", &index_path, error))?;
        let Ok(entries) = entries else {
            self.note(format!("{index_path} is damaged and will be built again"));
            self.remove_derived(&index_path);
            return Ok(None);
        };
        let path = self.place.path(&FileName::segment(base));
        let summary = &head.summary;
        let from = summary.covered.saturating_sub(TAIL_VERIFY_BYTES);
        let entry = entries.iter().rev().find(|e| e.position <= from).or(entries.first()).copied();
        let (position, offset) = match entry {
            Some(entry) => (entry.position, entry.offset),
            None => (SEGMENT_HEADER_BYTES, base),
        };
        let sound = storage
            .open(&path, OpenMode::Read)
            .and_then(|file| ends_at(&*file, position, offset, summary.covered))
            .map_err(|error| io_error("read", &path, error))?;
        if sound != Some(summary.next) {
            self.note(format!("{path} is not what its index says; reading all of it"));
            self.remove_derived(&index_path);
            return Ok(None);
        }
        Ok(Some(IndexBuilder::resume(entries, summary)))
    }
}

/// The offset behind the batches between two positions, if they are whole and sound.
fn ends_at(
    file: &dyn File,
    position: u64,
    offset: Offset,
    covered: u64,
) -> std::io::Result<Option<Offset>> {
    let mut scanner =
        Scanner::new(file, Verify::Checksums, position, covered, Expected::Exactly(offset));
    let mut next = offset;
    loop {
        match scanner.step()? {
            Step::Batch(header) => next = header.next_offset(),
            Step::End => return Ok(Some(next)),
            Step::Bad(_) => return Ok(None),
        }
    }
}
