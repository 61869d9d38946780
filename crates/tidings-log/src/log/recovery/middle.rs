//! Segments before the last trusted one: they were whole once, and are never cut.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::{OpenError, Recovery, SegmentFile, io_error};
use crate::index::{IndexBuilder, IndexSummary};
use crate::offset::Offset;
use crate::producers::Sequenced;
use crate::scan::{Expected, Scanner, Step, Verify};
use crate::segment::{FileName, LazyFile, SEGMENT_HEADER_BYTES, Segment, SegmentIndex};
use crate::storage::OpenMode;

impl Recovery {
    /// Takes a segment as its index describes it, or builds the index again.
    pub(super) fn keep(
        &mut self,
        file: SegmentFile,
        next_base: Offset,
    ) -> Result<Segment, OpenError> {
        match file.head {
            Some(head) if head.summary.covered == file.size && head.summary.next <= next_base => {
                let summary = head.summary;
                let index = LazyFile::new(&self.place, FileName::index(file.base));
                let saved = SegmentIndex::Saved { file: index, entries: head.entries, summary };
                Ok(self.segment(file.base, summary.next, file.size, saved, file.size))
            }
            _ => self.rebuild(&file, next_base),
        }
    }

    /// Reads a whole segment, steps around damage, and saves a new index.
    fn rebuild(&mut self, file: &SegmentFile, next_base: Offset) -> Result<Segment, OpenError> {
        let path = self.place.path(&FileName::segment(file.base));
        let opened = self.place.storage.open(&path, OpenMode::Read);
        let opened = opened.map_err(|error| io_error("open", &path, error))?;
        let (start, base) = (SEGMENT_HEADER_BYTES, file.base);
        let mut scanner =
            Scanner::new(&*opened, Verify::Checksums, start, file.size, Expected::Exactly(base));
        let mut index = IndexBuilder::default();
        let mut next = base;
        let mut size = file.size;
        let read = |error| io_error("read", &path, error);
        loop {
            let position = scanner.position();
            match scanner.step().map_err(read)? {
                // Two segments that claim one offset: the later one was begun when this one ended.
                Step::Batch(header) if header.next_offset() > next_base => {
                    self.note(format!(
                        "{path} reaches from byte {position} into the segment behind it, which \
                         begins at offset {next_base}: what stands there is not read"
                    ));
                    size = position;
                    break;
                }
                Step::Batch(header) => {
                    index.add(&header, position, self.config.index_interval_bytes);
                    next = header.next_offset();
                }
                Step::End => break,
                Step::Bad(error) => {
                    let resumed = scanner.resynchronise().map_err(read)?;
                    let until = resumed.map_or(next_base, |header| header.base_offset);
                    let end = scanner.position();
                    self.note(format!(
                        "{path} is damaged from byte {position} to {end} ({error}): \
                         offsets {next} to {until} cannot be read; all others can"
                    ));
                    // What follows must be found without walking through the damage.
                    index.jump();
                }
            }
        }
        self.report.scanned_bytes += file.size;
        let memory = SegmentIndex::Memory(Arc::new(index));
        let segment = self.segment(base, next, size, memory, 0);
        if let Some(save) = segment.save(None) {
            save.run(&self.place);
        }
        Ok(segment)
    }

    fn segment(
        &self,
        base: Offset,
        next: Offset,
        size: u64,
        index: SegmentIndex,
        covered: u64,
    ) -> Segment {
        Segment {
            base,
            next,
            size,
            file: LazyFile::new(&self.place, FileName::segment(base)),
            index,
            synced: true,
            covered: Arc::new(AtomicU64::new(covered)),
            producers: None,
        }
    }

    /// Tells the producers' state machine about the trusted batches behind its snapshot. Only
    /// headers are looked at; usually there are none, for a snapshot is saved with each index.
    pub(super) fn replay(
        &mut self,
        files: &[SegmentFile],
        last: &IndexSummary,
        from: Offset,
    ) -> Result<(), OpenError> {
        for (n, file) in files.iter().enumerate() {
            let next = files.get(n + 1).map_or(last.next, |next| next.base);
            if next <= from {
                continue;
            }
            let end = if n + 1 == files.len() { last.covered } else { file.size };
            let path = self.place.path(&FileName::segment(file.base));
            let read = |error| io_error("read", &path, error);
            let opened = self.place.storage.open(&path, OpenMode::Read).map_err(read)?;
            let start = SEGMENT_HEADER_BYTES;
            let mut scanner =
                Scanner::new(&*opened, Verify::Headers, start, end, Expected::AtLeast(file.base));
            // Damage is reported where the segment is rebuilt; what follows it is replayed, too.
            loop {
                match scanner.step().map_err(read)? {
                    Step::Batch(header) => {
                        if let Some(batch) =
                            Sequenced::of(&header).filter(|_| header.base_offset >= from)
                        {
                            self.producers.record(&batch, header.base_offset, None);
                        }
                    }
                    Step::End => break,
                    Step::Bad(_) => drop(scanner.resynchronise().map_err(read)?),
                }
            }
            self.report.scanned_bytes += end;
        }
        Ok(())
    }
}
