//! The end of a log, of which nobody knows whether it was on the disk: read, verify, cut.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::{OpenError, Recovery, SegmentFile, Trusted, io_error};
use crate::file_header::{HeaderFault, SEGMENT};
use crate::index::IndexBuilder;
use crate::limits::SCAN_CHUNK_BYTES;
use crate::offset::Offset;
use crate::producers::Sequenced;
use crate::scan::{Expected, Scanner, Step, Verify};
use crate::segment::{
    FileName, LazyFile, SEGMENT_HEADER_BYTES, Segment, SegmentIndex, segment_header,
};
use crate::storage::{File, OpenMode};

/// What reading a tail found.
struct Tail {
    index: IndexBuilder,
    next: Offset,
    /// Where the first byte stands that is not part of a whole batch; `None` if all are.
    cut_at: Option<u64>,
    /// Whether whole batches follow behind it.
    more: bool,
}

impl Recovery {
    /// Recovers a segment whose end is not known to have been on the disk. Says whether something
    /// was cut: then later segments do not belong to the log any more.
    pub(super) fn recover_tail(
        &mut self,
        file: &SegmentFile,
        trusted: Option<Trusted>,
    ) -> Result<(Segment, bool), OpenError> {
        let base = file.base;
        let name = FileName::segment(base);
        let path = self.place.path(&name);
        let opened = self.place.storage.open(&path, OpenMode::Write);
        let opened = opened.map_err(|error| io_error("open", &path, error))?;
        let covered = trusted.as_ref().map_or(0, |t| t.summary.covered);
        if trusted.is_none() {
            self.mend_header(&*opened, base, &path)?;
        }
        let size = file.size.max(SEGMENT_HEADER_BYTES);
        let tail = self.read_tail(&*opened, base, size, trusted, &path)?;
        if let Some(position) = tail.cut_at {
            self.cut(&*opened, base, position..size, tail.more, &path)?;
        }
        let size = tail.cut_at.unwrap_or(size);
        if self.rewrites {
            let rewritten = write_again(&*opened, covered..size);
            rewritten.map_err(|error| io_error("write again and sync", &path, error))?;
        }
        self.report.scanned_bytes += size - covered.clamp(SEGMENT_HEADER_BYTES, size);
        let segment = Segment {
            base,
            next: tail.next,
            size,
            file: LazyFile::opened(&self.place, name, opened),
            index: SegmentIndex::Memory(Arc::new(tail.index)),
            synced: covered == size,
            covered: Arc::new(AtomicU64::new(covered)),
            producers: None,
        };
        Ok((segment, tail.cut_at.is_some()))
    }

    fn read_tail(
        &mut self,
        file: &dyn File,
        base: Offset,
        size: u64,
        trusted: Option<Trusted>,
        path: &str,
    ) -> Result<Tail, OpenError> {
        let (start, mut next, mut index) = match trusted {
            Some(t) => (t.summary.covered, t.summary.next, t.index),
            None => (SEGMENT_HEADER_BYTES, base, IndexBuilder::default()),
        };
        let read = |error| io_error("read", path, error);
        let mut scanner =
            Scanner::new(file, Verify::Checksums, start, size, Expected::Exactly(next));
        loop {
            let position = scanner.position();
            match scanner.step().map_err(read)? {
                Step::Batch(header) => {
                    index.add(&header, position, self.config.index_interval_bytes);
                    if let Some(batch) = Sequenced::of(&header) {
                        self.producers.record(&batch, header.base_offset, None);
                    }
                    next = header.next_offset();
                }
                Step::End => return Ok(Tail { index, next, cut_at: None, more: false }),
                Step::Bad(error) => {
                    let more = scanner.resynchronise().map_err(read)?.is_some();
                    self.note(format!(
                        "{path} is torn at byte {position} ({error}): cut to offset {next}"
                    ));
                    return Ok(Tail { index, next, cut_at: Some(position), more });
                }
            }
        }
    }

    /// Makes sure that the segment begins with its header. A crash may have left a new segment
    /// without one; anything else in its place means that the file is not ours to change.
    fn mend_header(&mut self, file: &dyn File, base: Offset, path: &str) -> Result<(), OpenError> {
        let mut found = [0; SEGMENT_HEADER_BYTES as usize];
        let got = file.read_at(0, &mut found).map_err(|error| io_error("read", path, error))?;
        let right = segment_header(base);
        if found[..] == right[..] && got == found.len() {
            return Ok(());
        }
        match SEGMENT.check(&found) {
            Err(HeaderFault::Newer(version)) => {
                let (path, found, known) = (path.to_owned(), version, SEGMENT.version);
                return Err(OpenError::NewerFormat { path, found, known });
            }
            Err(HeaderFault::Foreign) if found[..4] != right[..4] && found != [0; 32] => {
                return Err(OpenError::Foreign { path: path.to_owned(), expected: SEGMENT.name });
            }
            _ => {}
        }
        // An empty file is what a crash right after its creation leaves: nothing was lost.
        if got > 0 {
            self.note(format!("{path} had a damaged header, which was written again"));
        }
        file.write_at(0, &right).map_err(|error| io_error("write", path, error))
    }

    /// Cuts a segment, after keeping aside what follows if whole batches are among it.
    fn cut(
        &mut self,
        file: &dyn File,
        base: Offset,
        range: Range<u64>,
        more: bool,
        path: &str,
    ) -> Result<(), OpenError> {
        if more {
            let name = self.unused_name(&format!("{:020}.{}", base.value(), range.start))?;
            let aside = self.place.path(&name);
            let kept = self.copy(file, range.clone(), &aside);
            kept.map_err(|error| io_error("write", &aside, error))?;
            self.note(format!("whole batches behind the damage in {path} are kept in {aside}"));
            self.report.kept_aside.push(aside);
        }
        self.report.cut_bytes += range.end - range.start;
        file.truncate(range.start).map_err(|error| io_error("cut", path, error))
    }

    fn copy(&self, file: &dyn File, range: Range<u64>, to: &str) -> std::io::Result<()> {
        let storage = &self.place.storage;
        let target = storage.open(to, OpenMode::Create)?;
        copy_bytes(file, range, &*target, 0)?;
        target.sync_data()?;
        storage.sync_dir(&self.place.dir)
    }

    /// Takes a segment that lies beyond a cut out of the log.
    pub(super) fn set_aside(&mut self, file: &SegmentFile) -> Result<(), OpenError> {
        let path = self.place.path(&FileName::segment(file.base));
        let index = self.place.path(&FileName::index(file.base));
        self.changed = true;
        // The index would be taken for that of a later segment of the same name.
        if let Err(error) = self.place.storage.remove(&index)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(io_error("remove", &index, error));
        }
        if file.size <= SEGMENT_HEADER_BYTES {
            let removed = self.place.storage.remove(&path);
            return removed.map_err(|error| io_error("remove", &path, error));
        }
        let name = self.unused_name(&format!("{:020}.log", file.base.value()))?;
        let aside = self.place.path(&name);
        let renamed = self.place.storage.rename(&path, &aside);
        renamed.map_err(|error| io_error("rename", &path, error))?;
        self.note(format!("{path} lies beyond the cut and is kept in {aside}"));
        self.report.cut_bytes += file.size - SEGMENT_HEADER_BYTES;
        self.report.kept_aside.push(aside);
        Ok(())
    }

    /// A name for a file to keep that is not taken by one kept before.
    fn unused_name(&self, stem: &str) -> Result<String, OpenError> {
        let listed = self.place.storage.list(&self.place.dir);
        let listed = listed.map_err(|error| io_error("list", &self.place.dir, error))?;
        let taken = |name: &str| listed.iter().any(|entry| entry.name == name);
        let mut name = format!("{stem}.cut");
        let mut n = 2;
        while taken(&name) {
            name = format!("{stem}.{n}.cut");
            n += 1;
        }
        Ok(name)
    }
}

/// Has the kernel write bytes that it may take for written, though writing them failed.
fn write_again(file: &dyn File, range: Range<u64>) -> std::io::Result<()> {
    let at = range.start;
    copy_bytes(file, range, file, at)?;
    file.sync_data()
}

/// Copies a part of one file to a place in another, or in the same.
fn copy_bytes(from: &dyn File, range: Range<u64>, to: &dyn File, at: u64) -> std::io::Result<()> {
    let mut chunk = vec![0; SCAN_CHUNK_BYTES];
    let mut position = range.start;
    while position < range.end {
        let want = chunk.len().min((range.end - position) as usize);
        let got = from.read_at(position, &mut chunk[..want])?;
        if got == 0 {
            break;
        }
        to.write_at(at + (position - range.start), &chunk[..got])?;
        position += got as u64;
    }
    Ok(())
}
