//! What can go wrong with a log: one small error per operation, each with who is at fault.

use std::io;

use thiserror::Error;

use crate::batch::BatchError;
use crate::offset::Offset;

/// Why a log (or a journal) could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A newer version of Tidings wrote the file.
    #[error(
        "{path} has format version {found}, this program knows versions up to {known}; \
         use the newer program that wrote it"
    )]
    NewerFormat {
        /// The file.
        path: String,
        /// Its version.
        found: u16,
        /// Newest version that this program reads.
        known: u16,
    },
    /// The file is not what its name says.
    #[error("{path} is not a {expected} of Tidings; move it away or restore it from a backup")]
    Foreign {
        /// The file.
        path: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The operating system said no.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// Why records were not appended. Nothing of them was kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The bytes are no record batches. The producer is at fault.
    #[error(transparent)]
    Invalid(#[from] BatchError),
    /// An earlier batch of this producer is missing. It may come when the producer sends again.
    #[error("producer {producer_id} sent sequence {found}, but {expected} is the next one")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// The sequence number that was due.
        expected: i32,
        /// The sequence number that came.
        found: i32,
    },
    /// The batch was appended before, too long ago to know at which offset.
    #[error("producer {producer_id} sent sequence {found} a second time")]
    DuplicateSequence {
        /// The producer.
        producer_id: i64,
        /// The sequence number that came.
        found: i32,
    },
    /// A newer instance of this producer has taken over.
    #[error("producer {producer_id} has epoch {current}, the batch comes from epoch {found}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: i64,
        /// The epoch in force.
        current: i16,
        /// The epoch that came.
        found: i16,
    },
    /// The disk is full; reads go on, and a later try may succeed.
    #[error("the disk is full; {log} takes no records until space is freed")]
    DiskFull {
        /// The log's directory.
        log: String,
    },
    /// A write or sync failed; reads go on, writes only after the log is opened again.
    #[error("{log} takes no records until it is opened again, because {reason}")]
    Fenced {
        /// The log's directory.
        log: String,
        /// What failed.
        reason: String,
    },
}

impl AppendError {
    /// Whether sending the same again may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, AppendError::DiskFull { .. } | AppendError::Fenced { .. })
    }
}

/// Why nothing can be read at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The offset is below the start or beyond the end.
    #[error("the log holds offsets {start} to {end}")]
    OutOfRange {
        /// First offset that can be read.
        start: Offset,
        /// Offset behind the last record.
        end: Offset,
    },
}

/// Why records could not be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// The offset lies beyond the end.
    #[error("the log ends at {end}")]
    OutOfRange {
        /// Offset behind the last record.
        end: Offset,
    },
    /// The new start could not be stored; nothing was deleted.
    #[error("cannot store the new start of {log}: {reason}")]
    Io {
        /// The log's directory.
        log: String,
        /// What failed.
        reason: String,
    },
}

/// A sync failed: nobody knows what is on the disk, and trying again may lie. Hand it to
/// [`Log::fence`], and acknowledge nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot sync {path}: {reason}")]
pub struct SyncError {
    /// The file or directory.
    pub path: String,
    /// What the operating system said.
    pub reason: String,
}
