//! Files of version 1 of each format, committed: today's code writes the very same bytes, opens
//! them, and says the right thing about damaged ones.
//!
//! A new version of a format gets a directory of its own; the old ones stay and must open for ever.
//! `cargo test -p tidings-log -- --ignored write_the_fixtures` writes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidings_log::storage::{Memory, Storage};
use tidings_log::testing::BatchBuilder;
use tidings_log::{Journal, Log, LogConfig, Offset};

use crate::kit::{base_offsets, checked, open_memory};

const JOURNAL: &str = "meta/topics.journal";
const SEALED: &str = "topic/0/00000000000000000000";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 800, index_interval_bytes: 100, ..LogConfig::default() }
}

/// A small log with sealed segments, producers, a start, and a journal; always the same bytes.
fn build() -> Memory {
    let memory = Memory::new();
    let (mut log, _) = open_memory(&memory, config());
    for n in 0..12i32 {
        let builder =
            BatchBuilder::filled(1 + n as usize % 3, 40, 1_700_000_000_000 + i64::from(n));
        let sequence = (0..n).map(|before| 1 + before % 3).sum();
        log.append(&builder.producer(1001, 2, sequence).build(), 1_700_000_000_500).expect("room");
    }
    log.delete_before(Offset(3)).expect("in range");
    log.close().expect("closed");
    let (mut journal, ..) = Journal::open(Arc::new(memory.clone()), JOURNAL).expect("it opens");
    for entry in ["created orders", "", "created payments"] {
        journal.append(entry.as_bytes()).expect("room");
    }
    memory
}

/// The damaged copies: a name, the file, and how its bytes change.
#[allow(clippy::type_complexity)]
fn damages() -> Vec<(&'static str, String, fn(&mut Vec<u8>))> {
    let journal = || JOURNAL.to_owned();
    vec![
        ("flipped-payload", format!("{SEALED}.log"), |b| b[150] ^= 4),
        ("flipped-segment-header", format!("{SEALED}.log"), |b| b[20] ^= 4),
        ("flipped-index-entry", format!("{SEALED}.index"), |b| b[80] ^= 4),
        ("cut-index", format!("{SEALED}.index"), |b| b.truncate(70)),
        ("newer-segment", format!("{SEALED}.log"), |b| newer(b)),
        ("newer-index", format!("{SEALED}.index"), |b| newer(b)),
        ("flipped-start", "topic/0/start".to_owned(), |b| b[20] ^= 4),
        ("newer-start", "topic/0/start".to_owned(), |b| newer(b)),
        ("torn-journal", journal(), |b| b.truncate(b.len() - 3)),
        ("flipped-journal", journal(), |b| b[25] ^= 4),
        ("newer-journal", journal(), |b| newer(b)),
    ]
}

fn newer(bytes: &mut [u8]) {
    bytes[9] = 2;
    let crc = crc32c::crc32c(&bytes[..12]).to_be_bytes();
    bytes[12..16].copy_from_slice(&crc);
}

fn load(dir: &Path) -> Memory {
    fn walk(dir: &Path, prefix: &str, memory: &Memory) {
        for entry in fs::read_dir(dir).expect("the fixtures are committed") {
            let entry = entry.expect("listed");
            let name = entry.file_name().into_string().expect("ASCII");
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if entry.path().is_dir() {
                walk(&entry.path(), &path, memory);
            } else {
                memory.put(&path, fs::read(entry.path()).expect("readable"));
            }
        }
    }
    let memory = Memory::new();
    walk(dir, "", &memory);
    memory
}

/// The sound files with one of them replaced by its damaged copy.
fn damaged(name: &str, path: &str) -> Memory {
    let memory = load(&fixtures().join("v1"));
    memory.put(path, fs::read(fixtures().join("damaged").join(name)).expect("committed"));
    memory
}

#[test]
#[ignore = "writes the fixtures; only for a new version of a format"]
fn write_the_fixtures() {
    let memory = build();
    for path in memory.paths() {
        let file = fixtures().join("v1").join(&path);
        fs::create_dir_all(file.parent().expect("it has one")).expect("created");
        fs::write(file, memory.content(&path).expect("listed")).expect("written");
    }
    fs::create_dir_all(fixtures().join("damaged")).expect("created");
    for (name, path, damage) in damages() {
        let mut content = memory.content(&path).expect("it is one of the files");
        damage(&mut content);
        fs::write(fixtures().join("damaged").join(name), content).expect("written");
    }
}

#[test]
fn todays_code_writes_version_1_byte_for_byte() {
    let (committed, built) = (load(&fixtures().join("v1")), build());
    assert_eq!(committed.paths(), built.paths());
    for path in built.paths() {
        assert!(committed.content(&path) == built.content(&path), "{path} has changed");
    }
}

#[test]
fn version_1_opens() {
    let memory = load(&fixtures().join("v1"));
    assert!(checked(&memory).is_ok(), "{:?}", checked(&memory));
    let (log, report) = open_memory(&memory, config());
    assert!(report.is_clean() && report.scanned_bytes == 0, "{report:?}");
    assert_eq!((log.start(), log.end()), (Offset(3), Offset(24)));
    assert_eq!(base_offsets(&log), [3, 6, 7, 9, 12, 13, 15, 18, 19, 21]);
    assert_eq!(log.producers().find(1001).expect("known").epoch(), 2);
    let (_, entries, _) = Journal::open(Arc::new(memory), JOURNAL).expect("it opens");
    assert_eq!(entries, ["created orders", "", "created payments"]);
}

/// What opening each damaged copy says, and what the checker says about it.
#[test]
fn damage_is_named() {
    const NOTHING: &str = "";
    let expected = [
        ("flipped-payload", NOTHING, "is damaged at byte"),
        ("flipped-segment-header", NOTHING, "has a damaged header"),
        ("flipped-index-entry", NOTHING, "index is damaged"),
        ("cut-index", "index is damaged and will be built again", "index is damaged"),
        ("newer-segment", NOTHING, "format version 2"),
        ("newer-index", "format version 2, this program knows versions up to 1", "version 2"),
        ("flipped-start", "deleted records can be read again", "start is damaged"),
        ("newer-start", "format version 2", "format version 2"),
        ("torn-journal", "cut 21 bytes", NOTHING),
        ("flipped-journal", "kept in meta/topics.journal.16.cut", "is damaged at byte 16"),
        ("newer-journal", "format version 2", "format version 2"),
    ];
    for ((name, path, _), (same, opening, checking)) in damages().into_iter().zip(expected) {
        assert_eq!(name, same);
        let memory = damaged(name, &path);
        let report = checked(&memory);
        let partition = &report.partitions[0];
        let errors = [&report.errors[..], &partition.errors, &report.journals_errors()].concat();
        assert_eq!(report.is_ok(), checking.is_empty(), "{name}: {report:?}");
        assert!(errors.join("\n").contains(checking), "{name}: {errors:?}");

        let said = if path == JOURNAL {
            match Journal::open(Arc::new(memory), JOURNAL) {
                Ok((_, _, recovery)) => {
                    let kept = recovery.kept_aside.unwrap_or_default();
                    format!("cut {} bytes, kept in {kept}", recovery.cut_bytes)
                }
                Err(error) => error.to_string(),
            }
        } else {
            let storage: Arc<dyn Storage> = Arc::new(memory);
            match Log::open(storage, "topic/0", config()) {
                Ok((_, report)) => report.notes.join("\n"),
                Err(error) => error.to_string(),
            }
        };
        assert!(said.contains(opening), "{name}: {said}");
        assert_eq!(said.is_empty(), opening.is_empty(), "{name}: {said}");
    }
}

trait JournalsErrors {
    fn journals_errors(&self) -> Vec<String>;
}

impl JournalsErrors for tidings_log::CheckReport {
    fn journals_errors(&self) -> Vec<String> {
        self.journals.iter().flat_map(|journal| journal.errors.clone()).collect()
    }
}
