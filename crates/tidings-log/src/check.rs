//! Verifies every file of a data directory without changing anything: `tidings broker check`.

use std::io;
use std::path::Path;

use crate::offset::Offset;

/// What [`check`] found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// One per directory that holds segments, sorted by directory.
    pub partitions: Vec<PartitionCheck>,
    /// One per journal, sorted by path.
    pub journals: Vec<JournalCheck>,
    /// What is wrong with the directory as a whole, as sentences.
    pub errors: Vec<String>,
    /// Who holds the directory's lock, if anybody does: what is being written may look torn.
    pub in_use_by: Option<String>,
}

/// One partition's log.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PartitionCheck {
    /// Its directory, relative to the data directory.
    pub dir: String,
    /// First offset that can be read.
    pub start: Offset,
    /// Offset behind the last whole batch.
    pub end: Offset,
    /// Number of records between them.
    pub records: u64,
    /// Number of batches.
    pub batches: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// What is wrong, as sentences with file and position.
    pub errors: Vec<String>,
    /// What is unusual but sound, such as a torn tail that the next start will cut.
    pub notes: Vec<String>,
}

/// One journal.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct JournalCheck {
    /// Its path, relative to the data directory.
    pub path: String,
    /// Number of whole entries.
    pub entries: u64,
    /// What is wrong, as sentences.
    pub errors: Vec<String>,
    /// What is unusual but sound.
    pub notes: Vec<String>,
}

impl CheckReport {
    /// Whether nothing is wrong anywhere.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
            && self.partitions.iter().all(|p| p.errors.is_empty())
            && self.journals.iter().all(|j| j.errors.is_empty())
    }
}

/// Verifies every file below `dir`, read only, locked or not.
///
/// # Errors
/// Only when the directory itself cannot be listed; everything else is in the report.
pub fn check(dir: &Path) -> io::Result<CheckReport> {
    let _ = dir;
    todo!()
}
