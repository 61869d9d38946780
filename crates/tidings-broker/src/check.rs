//! `tidings broker check`: verifies a data directory without changing it, in the terms of topics.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use tidings_log::storage::Disk;

/// What [`check`] found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// All partitions, by topic and index.
    pub partitions: Vec<CheckedPartition>,
    /// What is wrong outside of partitions, as sentences.
    pub errors: Vec<String>,
    /// What is unusual but sound, as sentences.
    pub notes: Vec<String>,
    /// Who holds the directory, if anybody does: what is being written may look torn.
    pub in_use_by: Option<String>,
}

/// One partition's log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckedPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// First offset that can be read.
    pub start: i64,
    /// Offset behind the last whole batch.
    pub end: i64,
    /// Records between them.
    pub records: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// What is wrong, as sentences with file and position.
    pub errors: Vec<String>,
    /// What is unusual but sound.
    pub notes: Vec<String>,
}

impl CheckReport {
    /// Whether nothing is wrong anywhere.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty() && self.partitions.iter().all(|one| one.errors.is_empty())
    }
}

/// Verifies every file of a broker's data directory: counts, checksums, order, offsets. Read only;
/// works beside a running broker, whose unfinished writes may then look torn.
///
/// # Errors
/// If the directory cannot be listed; everything else is in the report.
pub fn check(data: &Path) -> io::Result<CheckReport> {
    let found = tidings_log::check(data)?;
    let mut report =
        CheckReport { errors: found.errors, in_use_by: found.in_use_by, ..CheckReport::default() };
    for journal in found.journals {
        report.errors.extend(journal.errors);
        report.notes.extend(journal.notes);
    }
    let mut expected = expected(data, &mut report);
    for one in found.partitions {
        let Some((topic, partition)) = expected.remove(&one.dir) else {
            report.notes.push(format!("{} belongs to no topic", one.dir));
            continue;
        };
        report.partitions.push(CheckedPartition {
            topic,
            partition,
            start: one.start.value(),
            end: one.end.value(),
            records: one.records,
            bytes: one.bytes,
            errors: one.errors,
            notes: one.notes,
        });
    }
    for (dir, (topic, partition)) in expected {
        report.errors.push(format!("{topic}[{partition}] has no log: {dir} is missing"));
    }
    report.errors.sort();
    report.partitions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Ok(report)
}

/// The partitions that the journal of topics names, by their directories.
fn expected(data: &Path, report: &mut CheckReport) -> HashMap<String, (String, i32)> {
    match crate::topics::read_partitions(&Disk::new(data)) {
        Ok(partitions) => partitions,
        Err(error) => {
            report.errors.push(error);
            HashMap::new()
        }
    }
}
