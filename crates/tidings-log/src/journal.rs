//! A small append-only journal: entries with a checksum each, for the broker's own state.
//!
//! The owner appends what changed and rewrites the whole from its state when the journal has grown.
//! An entry is opaque bytes; order is kept.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::log::OpenError;
use crate::storage::Storage;

/// An open journal. It has one owner; syncing happens by plans outside of the owner's lock.
#[derive(Debug)]
pub struct Journal {}

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
pub struct JournalSync {}

impl JournalSync {
    /// Waits until everything that was appended when the plan was made is on the disk. Returns the
    /// position to hand to [`Journal::synced`].
    ///
    /// # Errors
    /// [`JournalError::Fenced`]: nobody knows what is on the disk; hand it to [`Journal::fence`].
    pub fn run(self) -> Result<u64, JournalError> {
        todo!()
    }
}

impl Journal {
    /// Opens (or creates) the journal at `path` and returns its entries, oldest first. A torn tail
    /// is cut to the last whole entry.
    ///
    /// # Errors
    /// [`OpenError`] for a newer format, a file that is no journal, or a failing disk.
    pub fn open(
        storage: Arc<dyn Storage>,
        path: &str,
    ) -> Result<(Journal, Vec<Bytes>, JournalRecovery), OpenError> {
        let _ = (storage, path);
        todo!()
    }

    /// Appends one entry: it survives `kill -9` when this returns.
    ///
    /// # Errors
    /// [`JournalError`]; after any error nothing of the entry is kept.
    pub fn append(&mut self, entry: &[u8]) -> Result<(), JournalError> {
        self.append_all([entry])
    }

    /// Appends several entries with one write, all or none of them.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_all<'a>(
        &mut self,
        entries: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), JournalError> {
        let _ = entries.into_iter();
        todo!()
    }

    /// What has to be synced, to be run outside of the lock.
    pub fn plan_sync(&mut self) -> JournalSync {
        todo!()
    }

    /// Takes note that everything up to `position` is on the disk.
    pub fn synced(&mut self, position: u64) {
        let _ = position;
    }

    /// Number of entries appended since the journal was opened, counting those found then.
    pub fn position(&self) -> u64 {
        todo!()
    }

    /// The highest position known to be on the disk.
    pub fn synced_position(&self) -> u64 {
        todo!()
    }

    /// Refuses all further entries.
    pub fn fence(&mut self, reason: impl Into<String>) {
        let _ = reason.into();
    }

    /// Length of the file in bytes: what tells the owner when to rewrite.
    pub fn size_bytes(&self) -> u64 {
        todo!()
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
        let _ = entries.into_iter();
        todo!()
    }
}
