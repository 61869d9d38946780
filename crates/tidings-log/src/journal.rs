//! A small append-only journal: entries with a checksum each, for the broker's own state.
//!
//! The owner appends what changed and rewrites the whole from its state when the journal has grown.
//! An entry is opaque bytes; order is kept.

mod format;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use thiserror::Error;

use crate::file_header::{FILE_HEADER_BYTES, HeaderFault, JOURNAL};
use crate::limits::{MAX_JOURNAL_BYTES, MAX_JOURNAL_ENTRY_BYTES};
use crate::log::OpenError;
use crate::storage::{File, OpenMode, Storage, is_full, read_all};

pub(crate) use format::{Found, walk};

/// An open journal. It has one owner; syncing happens by plans outside of the owner's lock.
#[derive(Debug)]
pub struct Journal {
    storage: Arc<dyn Storage>,
    path: String,
    file: Arc<dyn File>,
    size: u64,
    position: u64,
    synced: u64,
    fenced: Option<String>,
    synced_state: Arc<Mutex<SyncState>>,
}

/// Held while syncing: a later sync may end before an earlier one.
#[derive(Debug, Default)]
struct SyncState {
    /// Whether the file's name is known to survive power loss.
    named: bool,
    /// The first failure. After it the operating system may report success for the same bytes, so
    /// no later sync counts.
    failed: Option<String>,
}

/// What opening a journal found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalRecovery {
    /// Bytes of a torn tail that were cut.
    pub cut_bytes: u64,
    /// Where they were kept, if whole entries were among them.
    pub kept_aside: Option<String>,
}

/// Why a journal could not take an entry.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk is full: nothing was written, and a later try may succeed.
    #[error("the disk is full; {path} takes no entries until space is freed")]
    DiskFull {
        /// The journal's file.
        path: String,
    },
    /// A write or sync failed before: nothing is written until the journal is opened again.
    #[error("{path} takes no entries until it is opened again, because {reason}")]
    Fenced {
        /// The journal's file.
        path: String,
        /// What failed.
        reason: String,
    },
    /// The entry is larger than an entry may be.
    #[error("an entry of {size} bytes is more than the {limit} that {path} takes")]
    TooLarge {
        /// The journal's file.
        path: String,
        /// Bytes of the entry.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// A sync of a journal, to be run outside of its owner's lock.
#[derive(Debug)]
pub struct JournalSync {
    storage: Arc<dyn Storage>,
    path: String,
    file: Arc<dyn File>,
    state: Arc<Mutex<SyncState>>,
    position: u64,
}

impl JournalSync {
    /// Waits until everything that was appended when the plan was made is on the disk. Returns the
    /// position to hand to [`Journal::synced`].
    ///
    /// # Errors
    /// [`JournalError::Fenced`]: nobody knows what is on the disk; hand it to [`Journal::fence`].
    pub fn run(self) -> Result<u64, JournalError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_none() {
            let mut synced = self.file.sync_data();
            if !state.named {
                synced = synced.and_then(|()| self.storage.sync_dir(parent(&self.path)));
                state.named = synced.is_ok();
            }
            state.failed = synced.err().map(|error| format!("syncing it failed: {error}"));
        }
        match &state.failed {
            None => Ok(self.position),
            Some(reason) => {
                let (path, reason) = (self.path.clone(), reason.clone());
                Err(JournalError::Fenced { path, reason })
            }
        }
    }
}

impl Journal {
    /// Opens (or creates) the journal at `path` and returns its entries, oldest first. A torn tail
    /// is cut to the last whole entry; if whole entries follow it, it is kept aside in a file.
    ///
    /// # Errors
    /// [`OpenError`] for a newer format, a file that is no journal, or a failing disk.
    pub fn open(
        storage: Arc<dyn Storage>,
        path: &str,
    ) -> Result<(Journal, Vec<Bytes>, JournalRecovery), OpenError> {
        let io = |action, path: &str, source| OpenError::Io { action, path: path.into(), source };
        storage
            .create_dir(parent(path))
            .map_err(|error| io("create directory", parent(path), error))?;
        let content = match read_all(&*storage, path, MAX_JOURNAL_BYTES) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(io("read", path, error)),
        };
        let created = !check_header(&content, path)?;
        let mode = if created { OpenMode::Create } else { OpenMode::Write };
        let file = storage.open(path, mode).map_err(|error| io("open", path, error))?;
        if created {
            let header = JOURNAL.header();
            file.write_at(0, &header).map_err(|error| io("write", path, error))?;
        }
        let content = if created { Bytes::from(JOURNAL.header().to_vec()) } else { content.into() };
        let Found { entries, end, more } = walk(&content);
        let mut recovery = JournalRecovery::default();
        if end < content.len() {
            recovery.cut_bytes = (content.len() - end) as u64;
            if more {
                let aside = format!("{path}.{end}.cut");
                keep_aside(&*storage, &aside, &content[end..])
                    .map_err(|error| io("write", &aside, error))?;
                recovery.kept_aside = Some(aside);
            }
            file.truncate(end as u64).map_err(|error| io("cut", path, error))?;
        }
        // A sync that failed before may have left out what the page cache has, and a later one says
        // nothing of it. Journals are small: each is written again.
        file.write_at(0, &content[..end]).map_err(|error| io("write", path, error))?;
        let journal = Journal {
            storage,
            path: path.to_owned(),
            file,
            size: end as u64,
            position: entries.len() as u64,
            synced: 0,
            fenced: None,
            synced_state: Arc::new(Mutex::new(SyncState::default())),
        };
        Ok((journal, entries, recovery))
    }

    /// Appends one entry: it survives `kill -9` when this returns.
    ///
    /// # Errors
    /// [`JournalError`]; after any error nothing of the entry is kept.
    pub fn append(&mut self, entry: &[u8]) -> Result<(), JournalError> {
        self.append_all([entry])
    }

    /// Appends several entries with one write. After `kill -9` within it the first of them may be
    /// there without the last.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_all<'a>(
        &mut self,
        entries: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), JournalError> {
        self.refuse_if_fenced()?;
        let (frames, count) = self.frames(Vec::new(), entries)?;
        let Err(error) = self.file.write_at(self.size, &frames) else {
            self.size += frames.len() as u64;
            self.position += count;
            return Ok(());
        };
        match self.file.truncate(self.size) {
            Ok(()) if is_full(&error) => Err(JournalError::DiskFull { path: self.path.clone() }),
            Ok(()) => self.failed(format!("writing it failed: {error}")),
            Err(second) => self.failed(format!(
                "writing it failed: {error}; and cutting off what was written: {second}"
            )),
        }
    }

    /// What has to be synced, to be run outside of the lock.
    pub fn plan_sync(&mut self) -> JournalSync {
        JournalSync {
            storage: Arc::clone(&self.storage),
            path: self.path.clone(),
            file: Arc::clone(&self.file),
            state: Arc::clone(&self.synced_state),
            position: self.position,
        }
    }

    /// Takes note that everything up to `position` is on the disk.
    pub fn synced(&mut self, position: u64) {
        self.synced = self.synced.max(position.min(self.position));
    }

    /// Number of entries appended since the journal was opened, counting those found then.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The highest position known to be on the disk.
    pub fn synced_position(&self) -> u64 {
        self.synced
    }

    /// Refuses all further entries.
    pub fn fence(&mut self, reason: impl Into<String>) {
        let reason = self.fenced.get_or_insert_with(|| reason.into());
        tracing::error!(path = self.path, reason, "the journal takes no more entries");
    }

    /// Why the journal is fenced, if it is.
    pub fn fenced(&self) -> Option<&str> {
        self.fenced.as_deref()
    }

    /// Length of the file in bytes: what tells the owner when to rewrite.
    pub fn size_bytes(&self) -> u64 {
        self.size
    }

    /// Replaces everything by `entries`, atomically: after a crash either the old or the new
    /// content is there. The new content is synced when this returns, and so counts everything
    /// that was appended before.
    ///
    /// # Errors
    /// [`JournalError::DiskFull`]: the old content stays in force. [`JournalError::Fenced`].
    pub fn rewrite<'a>(
        &mut self,
        entries: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), JournalError> {
        self.refuse_if_fenced()?;
        let (content, _) = self.frames(JOURNAL.header().to_vec(), entries)?;
        let temporary = format!("{}.tmp", self.path);
        let shared = Arc::clone(&self.synced_state);
        let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let written = (|| {
            let file = self.storage.open(&temporary, OpenMode::Create)?;
            file.write_at(0, &content)?;
            file.sync_data()?;
            self.storage.rename(&temporary, &self.path)?;
            Ok(file)
        })();
        match written {
            Ok(file) => {
                self.file = file;
                self.size = content.len() as u64;
            }
            Err(error) => {
                // The old file is untouched and stays in force; a leftover is overwritten later.
                let _ = self.storage.remove(&temporary);
                drop(state);
                if is_full(&error) {
                    return Err(JournalError::DiskFull { path: self.path.clone() });
                }
                return self.failed(format!("writing it anew failed: {error}"));
            }
        }
        if let Err(error) = self.storage.sync_dir(parent(&self.path)) {
            let reason = format!("syncing its directory failed: {error}");
            state.failed = Some(reason.clone());
            drop(state);
            return self.failed(reason);
        }
        state.named = true;
        drop(state);
        self.synced = self.position;
        Ok(())
    }

    fn frames<'a>(
        &self,
        mut frames: Vec<u8>,
        entries: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Vec<u8>, u64), JournalError> {
        let mut count = 0;
        for entry in entries {
            if entry.len() > MAX_JOURNAL_ENTRY_BYTES {
                let (path, size) = (self.path.clone(), entry.len());
                return Err(JournalError::TooLarge { path, size, limit: MAX_JOURNAL_ENTRY_BYTES });
            }
            format::frame(&mut frames, entry);
            count += 1;
        }
        Ok((frames, count))
    }

    fn refuse_if_fenced(&self) -> Result<(), JournalError> {
        match &self.fenced {
            None => Ok(()),
            Some(reason) => {
                Err(JournalError::Fenced { path: self.path.clone(), reason: reason.clone() })
            }
        }
    }

    fn failed(&mut self, reason: String) -> Result<(), JournalError> {
        self.fence(reason);
        self.refuse_if_fenced()
    }
}

/// Whether the file has a header; one that a crash left without (empty, or zeros) has none.
fn check_header(content: &[u8], path: &str) -> Result<bool, OpenError> {
    match JOURNAL.check(content) {
        Ok(_) => Ok(true),
        Err(HeaderFault::Newer(found)) => {
            let known = JOURNAL.version;
            Err(OpenError::NewerFormat { path: path.to_owned(), found, known })
        }
        Err(HeaderFault::Foreign) => {
            let header = JOURNAL.header();
            let torn = content.len() < FILE_HEADER_BYTES && header.starts_with(content);
            if torn || content.iter().all(|byte| *byte == 0) {
                Ok(false)
            } else {
                Err(OpenError::Foreign { path: path.to_owned(), expected: JOURNAL.name })
            }
        }
    }
}

fn keep_aside(storage: &dyn Storage, path: &str, content: &[u8]) -> io::Result<()> {
    let file = storage.open(path, OpenMode::Create)?;
    file.write_at(0, content)?;
    file.sync_data()?;
    storage.sync_dir(parent(path))
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests;
