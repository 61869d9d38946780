//! One segment file, its index, and the names of a log's files.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::file_header::{FILE_HEADER_BYTES, SEGMENT};
use crate::index::{self, IndexBuilder, IndexEntry, IndexSummary};
use crate::log::SyncError;
use crate::offset::Offset;
use crate::storage::{File, OpenMode, Storage, join};

/// Length of a segment file before its first batch.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = FILE_HEADER_BYTES as u64 + 16;

/// The first bytes of a segment file.
pub(crate) fn segment_header(base: Offset) -> Vec<u8> {
    let mut header = SEGMENT.header().to_vec();
    header.extend_from_slice(&base.value().to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    let crc = crc32c::crc32c(&header[FILE_HEADER_BYTES..]);
    header.extend_from_slice(&crc.to_be_bytes());
    header
}

/// Says that a sync failed. Whatever was written and not synced before may be in the page cache
/// and yet never reach the disk: the kernel took it for written. The file is not synced itself: it
/// lasts as long as the page cache does, and that is how long it is needed.
pub(crate) const UNSYNCED_FILE: &str = "unsynced";

/// What a file in a log's directory is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileName {
    /// `<base>.log`.
    Segment(Offset),
    /// `<base>.index`.
    Index(Offset),
    /// `<offset>.producers`.
    Producers(Offset),
    /// `start`.
    Start,
    /// `unsynced`.
    Unsynced,
    /// Half-written, to be removed.
    Temporary,
    /// Not ours, or kept aside for a person.
    Other,
}

impl FileName {
    pub(crate) fn parse(name: &str) -> FileName {
        match name {
            "start" => return FileName::Start,
            UNSYNCED_FILE => return FileName::Unsynced,
            _ => {}
        }
        let Some((stem, extension)) = name.rsplit_once('.') else { return FileName::Other };
        if extension == "tmp" {
            return FileName::Temporary;
        }
        let digits = stem.len() == 20 && stem.bytes().all(|b| b.is_ascii_digit());
        let Some(offset) = stem.parse().ok().filter(|_| digits).map(Offset) else {
            return FileName::Other;
        };
        match extension {
            "log" => FileName::Segment(offset),
            "index" => FileName::Index(offset),
            "producers" => FileName::Producers(offset),
            _ => FileName::Other,
        }
    }

    pub(crate) fn segment(base: Offset) -> String {
        format!("{:020}.log", base.value())
    }

    pub(crate) fn index(base: Offset) -> String {
        format!("{:020}.index", base.value())
    }

    pub(crate) fn producers(at: Offset) -> String {
        format!("{:020}.producers", at.value())
    }
}

/// Where a log lives; shared with the plans that run outside of its owner's lock.
#[derive(Debug)]
pub(crate) struct Place {
    pub storage: Arc<dyn Storage>,
    pub dir: String,
    /// The offsets of the producer snapshots on disk. Held while files are saved, so that an older
    /// index never replaces a newer one.
    pub snapshots: Mutex<Vec<Offset>>,
    /// The first sync that failed. Held while syncing: after one failure the operating system may
    /// report success for the same bytes, so no later sync of this log counts.
    pub failed_sync: Mutex<Option<SyncError>>,
    /// How many changes of the directory's names are known to be on the disk.
    pub synced_changes: AtomicU64,
}

impl Place {
    pub(crate) fn new(storage: Arc<dyn Storage>, dir: &str) -> Place {
        Place {
            storage,
            dir: dir.to_owned(),
            snapshots: Mutex::default(),
            failed_sync: Mutex::default(),
            synced_changes: AtomicU64::new(0),
        }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        join(&self.dir, name)
    }

    /// Puts a file in place as a whole: other readers see the old one or the new one. Not synced.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> io::Result<Arc<dyn File>> {
        let (path, temporary) = (self.path(name), self.path(&format!("{name}.tmp")));
        let written = (|| {
            let file = self.storage.open(&temporary, OpenMode::Create)?;
            file.write_at(0, content)?;
            self.storage.rename(&temporary, &path)?;
            Ok(file)
        })();
        if written.is_err() {
            // What is left of it takes room on a disk that may be full; the next open tries again.
            let _ = self.storage.remove(&temporary);
        }
        written
    }
}

/// A file that is opened when it is first needed, so that many segments cost few descriptors.
#[derive(Debug)]
pub(crate) struct LazyFile {
    place: Arc<Place>,
    name: String,
    file: OnceLock<Arc<dyn File>>,
    /// Of an index: whether its entries are what was written, found out when they are first used.
    sound: OnceLock<bool>,
}

impl LazyFile {
    pub(crate) fn new(place: &Arc<Place>, name: String) -> Arc<LazyFile> {
        Arc::new(LazyFile {
            place: Arc::clone(place),
            name,
            file: OnceLock::new(),
            sound: OnceLock::new(),
        })
    }

    pub(crate) fn opened(place: &Arc<Place>, name: String, file: Arc<dyn File>) -> Arc<LazyFile> {
        Arc::new(LazyFile {
            place: Arc::clone(place),
            name,
            file: OnceLock::from(file),
            sound: OnceLock::new(),
        })
    }

    pub(crate) fn open(&self) -> io::Result<Arc<dyn File>> {
        if let Some(file) = self.file.get() {
            return Ok(Arc::clone(file));
        }
        let file = self.place.storage.open(&self.path(), OpenMode::Read)?;
        Ok(Arc::clone(self.file.get_or_init(|| file)))
    }

    /// Whether this index file has the entries that were written. A damaged entry could point
    /// behind the wanted batch, and then records would be passed by.
    fn is_sound_index(&self, file: &dyn File) -> io::Result<bool> {
        if let Some(sound) = self.sound.get() {
            return Ok(*sound);
        }
        let sound = match index::read_head(file)? {
            Ok(head) => index::read_entries(file, &head)?.is_ok(),
            Err(_) => false,
        };
        Ok(*self.sound.get_or_init(|| sound))
    }

    pub(crate) fn path(&self) -> String {
        self.place.path(&self.name)
    }
}

/// A segment's index: built up in memory, or at rest in its file.
#[derive(Clone, Debug)]
pub(crate) enum SegmentIndex {
    /// Grows with the active segment; shared with a plan while that saves it.
    Memory(Arc<IndexBuilder>),
    /// Saved; looked up in the file.
    Saved {
        /// The index file.
        file: Arc<LazyFile>,
        /// How many entries it has.
        entries: u32,
        /// The whole segment's summary.
        summary: IndexSummary,
    },
}

/// Where a walk in a segment begins; resolved outside of the lock when it needs the disk.
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    /// At this position.
    Position(u64),
    /// At the position that the index file tells.
    Saved(Arc<LazyFile>, u32),
}

/// What is looked for in an index.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The batch that holds this offset.
    Offset(Offset),
    /// The first batch that has this timestamp or a later one.
    Time(i64),
}

impl Lookup {
    /// The position to start from; the segment's first batch if the index cannot be read.
    pub(crate) fn resolve(&self, target: Target) -> u64 {
        let (file, entries) = match self {
            Lookup::Position(position) => return *position,
            Lookup::Saved(file, entries) => (file, *entries),
        };
        let before = |entry: &IndexEntry| match target {
            Target::Offset(offset) => entry.offset <= offset,
            Target::Time(timestamp) => entry.max_timestamp_before < timestamp,
        };
        let found = file.open().and_then(|opened| {
            if !file.is_sound_index(&*opened)? {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its entries are damaged"));
            }
            index::find_in_file(&*opened, entries, before)
        });
        match found {
            Ok(found) => found.map_or(SEGMENT_HEADER_BYTES, |entry| entry.position),
            Err(error) => {
                tracing::warn!(path = file.path(), %error, "index unreadable, walking the segment");
                SEGMENT_HEADER_BYTES
            }
        }
    }
}

/// One segment of a log. The last one of a log is active, the others are sealed.
#[derive(Debug)]
pub(crate) struct Segment {
    /// First offset.
    pub base: Offset,
    /// Offset behind the last record.
    pub next: Offset,
    /// Length of the file up to the last whole batch.
    pub size: u64,
    pub file: Arc<LazyFile>,
    pub index: SegmentIndex,
    /// Whether all of it is on the disk.
    pub synced: bool,
    /// How much of the file the saved index covers.
    pub covered: Arc<AtomicU64>,
    /// The producers as they were when it was sealed, until they are saved.
    pub producers: Option<Arc<Vec<u8>>>,
}

impl Segment {
    /// Creates the file of a new, empty segment.
    pub(crate) fn create(place: &Arc<Place>, base: Offset) -> io::Result<Segment> {
        let name = FileName::segment(base);
        let path = place.path(&name);
        let file = place.storage.open(&path, OpenMode::Create)?;
        if let Err(error) = file.write_at(0, &segment_header(base)) {
            // A file without a header would only trouble the next start, which removes it, too.
            let _ = place.storage.remove(&path);
            return Err(error);
        }
        Ok(Segment {
            base,
            next: base,
            size: SEGMENT_HEADER_BYTES,
            file: LazyFile::opened(place, name, file),
            index: SegmentIndex::Memory(Arc::default()),
            synced: false,
            covered: Arc::default(),
            producers: None,
        })
    }

    /// Whether it holds no batch.
    pub(crate) fn is_empty(&self) -> bool {
        self.size <= SEGMENT_HEADER_BYTES
    }

    /// The highest timestamp and where the first batch that has it begins; `None` if empty.
    pub(crate) fn max_timestamp(&self) -> Option<(i64, u64)> {
        match &self.index {
            SegmentIndex::Memory(builder) => builder.max_timestamp(),
            SegmentIndex::Saved { summary, entries, .. } => {
                (*entries > 0).then_some((summary.max_timestamp, summary.max_timestamp_position))
            }
        }
    }

    /// Where to begin looking for `target`.
    pub(crate) fn lookup(&self, target: Target) -> Lookup {
        match &self.index {
            SegmentIndex::Memory(builder) => {
                let entry = match target {
                    Target::Offset(offset) => builder.find_offset(offset),
                    Target::Time(timestamp) => builder.find_time(timestamp),
                };
                Lookup::Position(entry.map_or(SEGMENT_HEADER_BYTES, |e| e.position))
            }
            SegmentIndex::Saved { file, entries, .. } => Lookup::Saved(Arc::clone(file), *entries),
        }
    }

    /// Saves the producers at once, if that still waits for a sync: the segment is about to go, and
    /// then nothing could be replayed from it.
    pub(crate) fn save_producers(&self, place: &Place) {
        let Some(content) = &self.producers else { return };
        let mut snapshots = place.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = save_producers(place, &mut snapshots, self.next, content) {
            tracing::warn!(log = place.dir, %error, "cannot save the idempotent producers");
        }
    }

    /// The index as it is now, to be saved.
    pub(crate) fn summary(&self, builder: &IndexBuilder) -> IndexSummary {
        let (max_timestamp, max_timestamp_position) = builder.max_timestamp().unwrap_or((-1, 0));
        let (base, covered, next) = (self.base, self.size, self.next);
        IndexSummary { base, covered, next, max_timestamp, max_timestamp_position }
    }
}

/// An index (and perhaps the producers) to be saved once the segment is on the disk.
#[derive(Debug)]
pub(crate) struct Save {
    pub base: Offset,
    pub summary: IndexSummary,
    pub index: Arc<IndexBuilder>,
    pub covered: Arc<AtomicU64>,
    pub producers: Option<Arc<Vec<u8>>>,
}

impl Save {
    /// Writes the files, unless a newer index is in place. Failing to (a full disk) costs only time
    /// at the next start, so it is told and not returned.
    pub(crate) fn run(&self, place: &Place) {
        let mut snapshots = place.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        if self.covered.load(Ordering::Acquire) >= self.summary.covered {
            return;
        }
        let saved = (|| {
            if let Some(producers) = &self.producers {
                save_producers(place, &mut snapshots, self.summary.next, producers)?;
            }
            let bytes = index::encode(&self.summary, &self.index.entries);
            place.replace(&FileName::index(self.base), &bytes)
        })();
        match saved {
            Ok(_) => self.covered.store(self.summary.covered, Ordering::Release),
            Err(error) => {
                let log = &place.dir;
                tracing::warn!(log, base = %self.base, %error, "cannot save a segment's index");
            }
        }
    }
}

/// Saves a snapshot of the producers. Keeps the two newest: should one turn out damaged, there is
/// another.
fn save_producers(
    place: &Place,
    snapshots: &mut Vec<Offset>,
    at: Offset,
    content: &[u8],
) -> io::Result<()> {
    place.replace(&FileName::producers(at), content)?;
    snapshots.push(at);
    snapshots.sort_unstable();
    snapshots.dedup();
    while snapshots.len() > 2 {
        let oldest = snapshots.remove(0);
        // One that stays is only a small file too many.
        let _ = place.storage.remove(&place.path(&FileName::producers(oldest)));
    }
    Ok(())
}
