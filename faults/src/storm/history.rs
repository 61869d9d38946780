//! What a member writes down: a line for each record that it handled, each partition that it took
//! or gave back, each commit and its answer. A line is one `write`, so kill -9 loses none that was
//! reported and tears at most the last.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// Nanoseconds since 1970: one machine, one clock for all members.
    pub(super) at: u64,
    #[serde(flatten)]
    pub(super) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum What {
    Took { partition: usize, assignment: u64, from: i64 },
    Gave { partition: usize, assignment: u64, lost: bool },
    Handled { partition: usize, offset: i64, key: u32 },
    CommitSent { offsets: Vec<(usize, i64)> },
    CommitAnswered { offsets: Vec<(usize, i64)>, error: Option<String> },
}

/// Nanoseconds since 1970.
pub(super) fn now() -> u64 {
    UNIX_EPOCH.elapsed().map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// The file of this process.
#[derive(Debug, Clone)]
pub(super) struct Recorder(Arc<Mutex<File>>);

impl Recorder {
    pub(super) fn create(path: &Path) -> Outcome<Self> {
        let file = File::options().create_new(true).append(true).open(path)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// Writes a line, or ends the process: a member that cannot write must not commit either.
    pub(super) fn write(&self, what: What) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The time is taken under the lock, so that it grows from line to line.
        let written = serde_json::to_vec(&Line { at: now(), what }).map(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
        if !matches!(written, Ok(Ok(()))) {
            std::process::abort();
        }
    }
}

/// The history of one process, in order.
pub(super) type History = Vec<Line>;

/// All histories below `dir`.
pub(super) fn read_all(dir: &Path) -> Outcome<Vec<History>> {
    files(dir, "jsonl")?.iter().map(|file| read(&std::fs::read_to_string(file)?)).collect()
}

/// How much has been written so far.
pub(super) fn bytes(dir: &Path) -> Outcome<u64> {
    files(dir, "jsonl")?.iter().map(|file| Ok(file.metadata()?.len())).sum()
}

/// How many members' logs have these words.
pub(super) fn logs_that_say(dir: &Path, words: &str) -> Outcome<usize> {
    let says =
        |file: &std::path::PathBuf| Ok(usize::from(std::fs::read_to_string(file)?.contains(words)));
    files(dir, "log")?.iter().map(says).sum()
}

fn files(dir: &Path, ends: &str) -> Outcome<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == ends) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(text: &str) -> Outcome<History> {
    // What stands behind the last line feed was torn by a kill.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// `storm[3]@120 storm[4]@97`, as the library logs it.
pub(super) fn offsets(text: &str) -> Vec<(usize, i64)> {
    let one = |word: &str| {
        let (place, offset) = word.split_once("]@")?;
        let (_, partition) = place.split_once('[')?;
        Some((partition.parse().ok()?, offset.parse().ok()?))
    };
    text.split(' ').filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_a_kill_is_read_and_a_torn_line_is_not() {
        let dir = std::env::temp_dir().join(format!("storm-history-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("member-1.jsonl");
        let recorder = Recorder::create(&path).unwrap();
        let lines = [
            What::Took { partition: 3, assignment: 1, from: 0 },
            What::Handled { partition: 3, offset: 7, key: 9 },
            What::CommitSent { offsets: vec![(3, 8)] },
            What::CommitAnswered { offsets: vec![(3, 8)], error: Some("no".to_owned()) },
            What::Gave { partition: 3, assignment: 1, lost: true },
        ];
        lines.iter().for_each(|what| recorder.write(what.clone()));
        File::options().append(true).open(&path).unwrap().write_all(b"{\"at\":1,\"wh").unwrap();
        let read = read_all(&dir).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        let [history] = &read[..] else { panic!("{read:?}") };
        assert!(history.iter().map(|line| &line.what).eq(&lines));
        assert!(history.is_sorted_by_key(|line| line.at));
    }

    #[test]
    fn the_librarys_list_of_offsets_is_read() {
        assert_eq!(offsets("storm[3]@120 storm[4]@97"), [(3, 120), (4, 97)]);
        assert_eq!(offsets(""), []);
    }
}
