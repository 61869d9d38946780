//! Verifies every file of a data directory without changing anything: `tidings broker check`.

mod partition;

use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::data_dir::{self, FORMAT_FILE, LOCK_FILE};
use crate::file_header::{HeaderFault, JOURNAL};
use crate::journal::walk;
use crate::limits::MAX_JOURNAL_BYTES;
use crate::offset::Offset;
use crate::segment::FileName;
use crate::storage::{Disk, Entry, OpenMode, Storage, join, read_all};

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
    /// What is unusual but sound, such as files kept aside by an earlier recovery.
    pub notes: Vec<String>,
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
    /// Number of batches that hold them.
    pub batches: u64,
    /// Bytes of all segments.
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

/// Verifies every file below `dir`, read only, locked or not: headers and versions, checksums,
/// counts, the order of offsets, that indexes point at batches, snapshots, journals.
///
/// # Errors
/// Only when the directory itself cannot be listed; everything else is in the report.
pub fn check(dir: &Path) -> io::Result<CheckReport> {
    let mut report = CheckReport { in_use_by: data_dir::holder(dir), ..CheckReport::default() };
    match data_dir::read_format(dir) {
        Ok(Some(_)) => {}
        Ok(None) => report.errors.push(format!("{} has no format version", dir.display())),
        Err(error) => report.errors.push(error.to_string()),
    }
    check_storage(&Disk::new(dir), &mut report)?;
    Ok(report)
}

/// Verifies every file of a storage, whatever it is.
///
/// # Errors
/// As [`check`].
pub fn check_storage(storage: &dyn Storage, report: &mut CheckReport) -> io::Result<()> {
    let entries = storage.list("")?;
    check_dir(storage, "", &entries, report);
    report.partitions.sort_by(|a, b| a.dir.cmp(&b.dir));
    report.journals.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(())
}

fn check_dir(storage: &dyn Storage, dir: &str, entries: &[Entry], report: &mut CheckReport) {
    let segment = |entry: &Entry| matches!(FileName::parse(&entry.name), FileName::Segment(_));
    let is_log = entries.iter().any(|entry| !entry.is_dir && segment(entry));
    if is_log {
        let in_use = report.in_use_by.is_some();
        report.partitions.push(partition::check_partition(storage, dir, entries, in_use));
    }
    for entry in entries {
        let path = join(dir, &entry.name);
        if entry.is_dir {
            match storage.list(&path) {
                Ok(entries) => check_dir(storage, &path, &entries, report),
                Err(error) => report.errors.push(format!("cannot list {path}: {error}")),
            }
        } else if dir.is_empty() && [FORMAT_FILE, LOCK_FILE].contains(&entry.name.as_str()) {
            // Looked at already; neither is a file of a log.
        } else if !is_log || FileName::parse(&entry.name) == FileName::Other {
            check_other(storage, &path, report);
        }
    }
}

/// A file whose name says nothing: a journal, or something that only a person can judge.
fn check_other(storage: &dyn Storage, path: &str, report: &mut CheckReport) {
    if path.ends_with(".cut") {
        report.notes.push(format!("{path} was kept aside by a recovery"));
        return;
    }
    if path.ends_with(".tmp") {
        report.notes.push(format!("{path} was left half-written and is not used"));
        return;
    }
    let mut head = [0; 16];
    let read = storage.open(path, OpenMode::Read).and_then(|file| file.read_at(0, &mut head));
    let verdict = match read {
        Ok(_) => JOURNAL.check(&head),
        Err(error) => {
            report.errors.push(format!("cannot read {path}: {error}"));
            return;
        }
    };
    match verdict {
        Ok(_) => report.journals.push(check_journal(storage, path)),
        Err(HeaderFault::Newer(version)) => {
            report.errors.push(format!("{path} has format version {version}, which is newer"));
        }
        Err(HeaderFault::Foreign) if path.ends_with(".journal") => {
            report.errors.push(format!("{path} is damaged: it does not begin as a journal"));
        }
        Err(HeaderFault::Foreign) => report.notes.push(format!("{path} is none of our files")),
    }
}

fn check_journal(storage: &dyn Storage, path: &str) -> JournalCheck {
    let mut check = JournalCheck { path: path.to_owned(), ..JournalCheck::default() };
    let content = match read_all(storage, path, MAX_JOURNAL_BYTES) {
        Ok(content) => Bytes::from(content),
        Err(error) => {
            check.errors.push(format!("cannot read {path}: {error}"));
            return check;
        }
    };
    let found = walk(&content);
    check.entries = found.entries.len() as u64;
    let torn = content.len() - found.end;
    if found.more {
        check.errors.push(format!("{path} is damaged at byte {}: entries follow", found.end));
    } else if torn > 0 {
        let end = found.end;
        check.notes.push(format!("{path} is torn at byte {end}: the next start cuts {torn} bytes"));
    }
    check
}
