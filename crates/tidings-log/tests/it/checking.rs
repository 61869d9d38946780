//! The checker: sound directories are sound, and every flipped bit is told.

use std::fs;

use tidings_log::testing::BatchBuilder;
use tidings_log::{DataDir, Journal, Log, check};

use crate::kit::{DIR, checked, open_memory, small, sync};

#[test]
fn counts_start_end_and_a_torn_tail() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = DataDir::open(dir.path()).expect("it is free");
    let (mut log, _) = Log::open(data.storage(), DIR, small()).expect("it opens");
    for n in 0..60 {
        log.append(&BatchBuilder::filled(3, 40, n).build(), 0).expect("room");
    }
    log.delete_before(tidings_log::Offset(100)).expect("in range");
    sync(&mut log);
    let (mut journal, ..) = Journal::open(data.storage(), "meta/topics.journal").expect("opens");
    journal.append(b"created").expect("room");
    let report = check(dir.path()).expect("listed");
    assert!(report.is_ok(), "{report:?}");
    assert!(report.in_use_by.is_some());
    let found = &report.partitions[0];
    assert_eq!((found.dir.as_str(), found.start.value(), found.end.value()), (DIR, 100, 180));
    assert_eq!((found.records, report.journals[0].entries), (80, 1));
    drop((log, journal, data));

    let names =
        || fs::read_dir(dir.path().join(DIR)).expect("listed").map(|e| e.expect("e").path());
    let last = names().filter(|p| p.extension().is_some_and(|e| e == "log")).max().expect("some");
    let content = fs::read(&last).expect("read");
    fs::write(&last, &content[..content.len() - 3]).expect("written");
    let before: Vec<_> = names().map(|p| (p.clone(), fs::read(p).expect("read"))).collect();
    let report = check(dir.path()).expect("listed");
    assert!(report.is_ok() && report.in_use_by.is_none(), "{report:?}");
    assert!(report.partitions[0].notes[0].contains("torn at byte"), "{report:?}");
    assert_eq!(report.partitions[0].end.value(), 177);
    for (path, content) in before {
        assert_eq!(fs::read(&path).expect("read"), content, "it only reads: {}", path.display());
    }
}

#[test]
fn every_flipped_bit_of_a_small_log_is_found() {
    let memory = tidings_log::storage::Memory::new();
    let config = tidings_log::LogConfig { segment_bytes: 1024, ..small() };
    let (mut log, _) = open_memory(&memory, config);
    for n in 0..20 {
        log.append(&BatchBuilder::filled(2, 20, n.into()).producer(1, 0, n * 2).build(), 0)
            .expect("room");
    }
    log.delete_before(tidings_log::Offset(3)).expect("in range");
    log.close().expect("closed");
    assert!(checked(&memory).is_ok(), "{:?}", checked(&memory));
    let mut silent = Vec::new();
    for path in memory.paths() {
        let content = memory.content(&path).expect("listed");
        for bit in (0..content.len() * 8).step_by(3) {
            let mut damaged = content.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            memory.put(&path, damaged);
            if checked(&memory).is_ok() {
                silent.push((path.clone(), bit / 8));
            }
        }
        memory.put(&path, content);
    }
    // The leader epoch stands outside of a batch's checksum, and its value decides nothing.
    silent.retain(|(path, at)| {
        let content = memory.content(path).expect("listed");
        let mut position = 32;
        while path.ends_with(".log") && position < content.len() {
            let header = tidings_log::batch::BatchHeader::parse(&content[position..]).expect("b");
            if (position + 12..position + 16).contains(at) {
                return false;
            }
            position += header.size();
        }
        true
    });
    assert_eq!(silent, []);
}
