//! Recovery: a tail cut, zeroed or overwritten anywhere loses no whole batch before it.

use std::sync::Arc;

use tidings_log::storage::{Disk, Memory, Storage};
use tidings_log::testing::BatchBuilder;
use tidings_log::{AppendError, Log, LogConfig, OpenError};

use crate::kit::{DIR, base_offsets, bytes_from, checked, open, open_memory, small, sync};

/// How much of the tail is damaged at every byte.
const TAIL_BYTES: usize = 64 * 1024;

/// A log of one segment with more than `TAIL_BYTES` in it; its file, the ends of its batches.
fn written() -> (String, Vec<u8>, Vec<usize>) {
    let memory = Memory::new();
    let (mut log, _) = open_memory(&memory, LogConfig::default());
    let mut ends = vec![32];
    for n in 0..90 {
        let bytes = BatchBuilder::filled(1 + n % 3, n * 37 % 900, n as i64).build();
        ends.push(ends[ends.len() - 1] + bytes.len());
        log.append(&bytes, 0).expect("room");
    }
    drop(log);
    let path = format!("{DIR}/00000000000000000000.log");
    let content = memory.content(&path).expect("written");
    assert_eq!(content.len(), ends[ends.len() - 1]);
    assert!(content.len() > TAIL_BYTES + 1000);
    (path, content, ends)
}

/// Opens a log with this segment content and compares it with what must be left of `content`.
fn recover(path: &str, content: &[u8], damaged: Vec<u8>, whole: usize, at: usize) {
    let memory = Memory::new();
    let size = damaged.len();
    memory.put(path, damaged);
    let (log, report) = open_memory(&memory, LogConfig::default());
    assert_eq!(report.cut_bytes as usize, size - whole, "damaged at {at}");
    assert_eq!(report.kept_aside, Vec::<String>::new());
    assert_eq!(log.size_bytes() as usize, whole);
    drop(log);
    let left = memory.content(path).expect("it is still there");
    assert!(left == content[..whole], "damaged at {at}");
}

#[test]
fn cut_at_every_byte_of_the_last_64_kib() {
    let (path, content, ends) = written();
    let mut whole = ends.len() - 1;
    for at in (content.len() - TAIL_BYTES..content.len()).rev() {
        while ends[whole] > at {
            whole -= 1;
        }
        recover(&path, &content, content[..at].to_vec(), ends[whole], at);
    }
}

#[test]
fn zeroed_from_every_byte_of_the_last_64_kib() {
    let (path, content, ends) = written();
    let mut zeroed = content.clone();
    let mut whole = ends.len() - 1;
    let mut same = content.len();
    for at in (content.len() - TAIL_BYTES..content.len()).rev() {
        zeroed[at] = 0;
        // Zeros that were zeros before change nothing: the batch is whole as long as they are all.
        if content[at] != 0 {
            same = at;
        }
        while ends[whole] > same {
            whole -= 1;
        }
        if same < content.len() {
            recover(&path, &content, zeroed.clone(), ends[whole], at);
        }
    }
}

#[test]
fn random_bytes_in_the_tail() {
    let (path, content, ends) = written();
    let mut random = 0x2545_f491_4f6c_dd1du64;
    for step in 0..1000 {
        let at = content.len() - 1 - step * 67 % TAIL_BYTES;
        let mut damaged = content[..at].to_vec();
        for _ in at..content.len() {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            damaged.push(random as u8);
        }
        let same = damaged[at..].iter().zip(&content[at..]).take_while(|(a, b)| a == b).count();
        let whole = ends.iter().rposition(|end| *end <= at + same).expect("the header is whole");
        recover(&path, &content, damaged, ends[whole], at);
    }
}

/// A clean shutdown lets the next start trust the log unread; a tail that was changed while it was
/// down must be noticed all the same.
#[test]
fn a_changed_tail_is_noticed_after_a_clean_shutdown() {
    let memory = Memory::new();
    let (mut log, _) = open_memory(&memory, LogConfig::default());
    for n in 0..200 {
        log.append(&BatchBuilder::filled(2, 700, n).build(), 0).expect("room");
    }
    let before = bytes_from(&log, log.start());
    log.close().expect("closed");
    let (_, report) = open_memory(&memory.snapshot(), LogConfig::default());
    assert!(report.is_clean() && report.scanned_bytes == 0, "{report:?}");

    let path = format!("{DIR}/00000000000000000000.log");
    let content = memory.content(&path).expect("written");
    for back in [3, 100, 1500, 60_000] {
        let mut zeroed = content.clone();
        zeroed[content.len() - back..].fill(0);
        for damaged in [zeroed, content[..content.len() - back].to_vec()] {
            let memory = memory.snapshot();
            memory.put(&path, damaged);
            let (log, report) = open_memory(&memory, LogConfig::default());
            assert!(report.cut_bytes > 0 && log.end() < tidings_log::Offset(400));
            assert!(before.starts_with(&bytes_from(&log, log.start())));
        }
    }
}

#[test]
fn whole_batches_behind_a_damaged_one_are_kept_aside() {
    let memory = Memory::new();
    let (mut log, _) = open_memory(&memory, LogConfig::default());
    for n in 0..10 {
        log.append(&BatchBuilder::filled(1, 50, n).build(), 0).expect("room");
    }
    drop(log);
    let path = format!("{DIR}/00000000000000000000.log");
    let mut content = memory.content(&path).expect("written");
    let batch = (content.len() - 32) / 10;
    let at = 32 + batch * 4 + 70;
    content[at] ^= 1;
    memory.put(&path, content.clone());
    assert!(!checked(&memory).is_ok());
    let (mut log, report) = open_memory(&memory, LogConfig::default());
    assert_eq!(base_offsets(&log), [0, 1, 2, 3]);
    let kept = memory.content(&report.kept_aside[0]).expect("it was written");
    assert_eq!(kept, content[32 + batch * 4..]);
    assert!(report.notes.iter().any(|note| note.contains("torn at byte")), "{report:?}");
    log.append(&BatchBuilder::filled(1, 50, 0).build(), 0).expect("room");
    drop(log);
    let (log, report) = open_memory(&memory, LogConfig::default());
    assert!(report.is_clean());
    assert_eq!(base_offsets(&log), [0, 1, 2, 3, 4]);
    assert!(checked(&memory).is_ok());
}

/// A log of several segments, all but the last sealed on the disk.
fn sealed() -> (Memory, Vec<i64>) {
    let memory = Memory::new();
    let (mut log, _) = open_memory(&memory, small());
    for n in 0..100 {
        log.append(&BatchBuilder::filled(1 + n % 4, 40, n as i64).build(), 0).expect("room");
    }
    sync(&mut log);
    for n in 0..5 {
        log.append(&BatchBuilder::filled(1, 40, n).build(), 0).expect("room");
    }
    let all = base_offsets(&log);
    (memory, all)
}

#[test]
fn sealed_segments_are_not_read_and_lost_indexes_are_built_again() {
    let (memory, all) = sealed();
    let (log, report) = open_memory(&memory.snapshot(), small());
    assert_eq!(base_offsets(&log), all);
    let size = log.size_bytes();
    assert!(report.scanned_bytes < size / 3, "{} of {size}", report.scanned_bytes);

    let indexes: Vec<String> =
        memory.paths().into_iter().filter(|path| path.ends_with(".index")).collect();
    assert!(indexes.len() > 3);
    for damage in 0..3 {
        for index in &indexes {
            let memory = memory.snapshot();
            let mut content = memory.content(index).expect("listed");
            match damage {
                0 => memory.remove(index).expect("listed"),
                1 => memory.put(index, content[..content.len() / 2].to_vec()),
                _ => {
                    let at = content.len() - 1;
                    content[at] ^= 0x40;
                    memory.put(index, content);
                }
            }
            let (log, _) = open_memory(&memory, small());
            assert_eq!(base_offsets(&log), all, "{index} with damage {damage}");
            log.close().expect("closed");
            let (log, report) = open_memory(&memory, small());
            assert_eq!((base_offsets(&log), report.scanned_bytes), (all.clone(), 0));
        }
    }
}

/// An index that opens but has a damaged entry must not let a reader pass records by.
#[test]
fn a_damaged_index_entry_costs_time_and_no_records() {
    let (memory, all) = sealed();
    let paths = memory.paths();
    let index = paths.iter().find(|path| path.ends_with(".index")).expect("there is one");
    let content = memory.content(index).expect("listed");
    for at in (68..content.len()).step_by(5) {
        for bit in [0, 3] {
            let memory = memory.snapshot();
            let mut damaged = content.clone();
            damaged[at] ^= 1 << bit;
            memory.put(index, damaged);
            let (log, _) = open_memory(&memory, small());
            for offset in &all[..all.len() / 3] {
                let from = tidings_log::Offset(*offset);
                let data = log.plan_read(from, 1, log.end()).expect("in range").read();
                let header = tidings_log::batch::BatchHeader::parse(&data.expect("readable"));
                assert_eq!(header.expect("a batch").base_offset, from, "damaged at {at}");
            }
        }
    }
}

#[test]
fn damage_in_a_sealed_segment_hides_nothing_behind_it() {
    let (memory, all) = sealed();
    let paths = memory.paths();
    let logs: Vec<&String> = paths.iter().filter(|path| path.ends_with(".log")).collect();
    let (path, index) = (logs[1], logs[1].replace(".log", ".index"));
    let mut content = memory.content(path).expect("listed");
    let first = tidings_log::batch::BatchHeader::parse(&content[32..]).expect("a batch");
    content[32 + first.size() + 70] ^= 1;
    memory.put(path, content.clone());
    memory.remove(&index).expect("listed");
    let (log, report) = open_memory(&memory, small());
    assert_eq!(report.cut_bytes, 0, "{report:?}");
    assert!(report.notes.iter().any(|n| n.contains("cannot be read")), "{report:?}");
    assert_eq!(log.end().value(), all[all.len() - 1] + 1);
    let readable: Vec<i64> = all
        .iter()
        .copied()
        .filter(|offset| {
            let plan = log.plan_read(tidings_log::Offset(*offset), 1, log.end()).expect("in range");
            let data = plan.read().expect("readable");
            tidings_log::batch::validate(&data, 1 << 20).is_ok()
        })
        .collect();
    assert_eq!(readable.len(), all.len() - 1, "only the damaged batch is gone");
    assert_eq!(memory.content(path), Some(content), "nothing was changed");
    assert!(!checked(&memory).is_ok());
}

#[test]
fn a_lost_middle_ends_the_log_there_and_the_rest_is_kept_aside() {
    let memory = Memory::new();
    let (mut log, _) = open_memory(&memory, small());
    for n in 0..100 {
        log.append(&BatchBuilder::filled(1, 40, n).build(), 0).expect("room");
    }
    drop(log);
    // Nothing was synced; the power went, and the second of the segments lost its end.
    let paths = memory.paths();
    let logs: Vec<&String> = paths.iter().filter(|path| path.ends_with(".log")).collect();
    let content = memory.content(logs[1]).expect("listed");
    memory.put(logs[1], content[..content.len() / 2].to_vec());
    let (mut log, report) = open_memory(&memory, small());
    assert_eq!(report.kept_aside.len(), logs.len() - 2, "{report:?}");
    let end = log.end().value();
    assert_eq!(base_offsets(&log), (0..end).collect::<Vec<_>>());
    for _ in 0..100 {
        log.append(&BatchBuilder::filled(1, 40, 0).build(), 0).expect("room");
    }
    assert_eq!(log.end().value(), end + 100);
    drop(log);
    let (_, report) = open_memory(&memory, small());
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn a_segment_that_was_just_begun_is_no_trouble() {
    let (memory, all) = sealed();
    let last = all[all.len() - 1] + 1;
    for content in [vec![], vec![0; 7], vec![0; 32], vec![0; 4096]] {
        let memory = memory.snapshot();
        memory.put(&format!("{DIR}/{last:020}.log"), content);
        let (mut log, _) = open_memory(&memory, small());
        assert_eq!(base_offsets(&log), all);
        log.append(&BatchBuilder::filled(1, 1, 1).build(), 0).expect("room");
        drop(log);
        let (log, report) = open_memory(&memory, small());
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(log.end().value(), last + 1);
    }
}

#[test]
fn newer_formats_and_foreign_files_are_refused_with_a_sentence() {
    let (memory, _) = sealed();
    let paths = memory.paths();
    for extension in [".log", ".index", ".producers"] {
        let memory = memory.snapshot();
        let path = paths.iter().rfind(|p| p.ends_with(extension)).expect("there is one");
        let mut content = memory.content(path).expect("listed");
        content[8..10].copy_from_slice(&7u16.to_be_bytes());
        let crc = crc32c::crc32c(&content[..12]).to_be_bytes();
        content[12..16].copy_from_slice(&crc);
        memory.put(path, content);
        let error = Log::open(Arc::new(memory), DIR, small()).expect_err("newer");
        assert!(matches!(&error, OpenError::NewerFormat { found: 7, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(path) && text.contains("versions up to 1"), "{text}");
    }
    // A directory of Apache Kafka has files of the same names.
    let kafka = Memory::new();
    let content = BatchBuilder::filled(3, 10, 1).build().to_vec();
    let path = format!("{DIR}/00000000000000000000.log");
    kafka.put(&path, [&[0xde, 0xad, 0xbe, 0xef][..], &content].concat());
    let before = kafka.content(&path);
    let error = Log::open(Arc::new(kafka.clone()), DIR, small()).expect_err("foreign").to_string();
    assert!(error.contains("is not a log segment of Tidings"), "{error}");
    assert_eq!(kafka.content(&path), before, "it was left alone");
}

#[test]
fn producers_survive_a_kill_with_and_without_their_snapshots() {
    for (synced, snapshots) in [(false, true), (true, true), (true, false)] {
        let memory = Memory::new();
        let (mut log, _) = open_memory(&memory, small());
        for n in 0..100 {
            let batch = BatchBuilder::filled(2, 30, 5).producer(4, 1, n * 2);
            log.append(&batch.build(), 1_000).expect("in sequence");
        }
        if synced {
            sync(&mut log);
        }
        drop(log);
        if !snapshots {
            for path in memory.paths().iter().filter(|path| path.ends_with(".producers")) {
                memory.remove(path).expect("listed");
            }
        }
        let (mut log, _) = open_memory(&memory, small());
        let again = BatchBuilder::filled(2, 30, 5).producer(4, 1, 196).build();
        let appended = log.append(&again, 0).expect("a duplicate is answered");
        assert!(appended.duplicate && appended.base_offset.value() == 196, "{appended:?}");
        let gap = BatchBuilder::filled(2, 30, 5).producer(4, 1, 202).build();
        let error = log.append(&gap, 0).expect_err("200 is missing");
        assert!(matches!(error, AppendError::OutOfOrderSequence { expected: 200, .. }), "{error}");
        let old = BatchBuilder::filled(2, 30, 5).producer(4, 0, 0).build();
        let error = log.append(&old, 0).expect_err("epoch 1 is in force");
        assert!(matches!(error, AppendError::InvalidProducerEpoch { current: 1, .. }), "{error}");
    }
}

#[test]
fn checkpoints_bound_what_is_read_of_the_active_segment() {
    let memory = Memory::new();
    let config = LogConfig { checkpoint_bytes: 10_000, ..LogConfig::default() };
    let (mut log, _) = open_memory(&memory, config.clone());
    for n in 0..100 {
        let batch = BatchBuilder::filled(2, 500, n.into()).producer(3, 0, n * 2);
        log.append(&batch.build(), 0).expect("room");
        sync(&mut log);
    }
    let all = bytes_from(&log, log.start());
    assert_eq!(log.segment_count(), 1);
    drop(log);
    let (mut log, report) = open_memory(&memory, config);
    assert!(report.scanned_bytes <= 12_000, "{report:?}");
    assert!(report.is_clean() && bytes_from(&log, log.start()) == all);
    assert_eq!(log.producers().find(3).expect("replayed").batches().len(), 5);
    log.append(&BatchBuilder::filled(2, 500, 7).producer(3, 0, 200).build(), 0).expect("in order");
    let snapshots = memory.paths().iter().filter(|p| p.ends_with(".producers")).count();
    assert_eq!(snapshots, 2, "older ones are removed");
}

#[test]
fn a_gibibyte_opens_within_a_tenth_of_a_second_after_a_kill() {
    let dir = tempfile::tempdir().expect("a directory");
    let storage: Arc<dyn Storage> = Arc::new(Disk::new(dir.path()));
    // Scaled to a tenth, with segments scaled alike, so that the test stays quick: a debug build
    // on a busy machine computes checksums at a fraction of its speed.
    let config = LogConfig {
        segment_bytes: 128 * 1024 * 1024 / 10,
        unsynced_bytes: 256 * 1024 * 1024 / 10,
        ..LogConfig::default()
    };
    let (mut log, _) = open(Arc::clone(&storage), config.clone());
    let batch = BatchBuilder::filled(100, 1000, 5).build();
    while log.size_bytes() < 1024 * 1024 * 1024 / 10 {
        log.append(&batch, 0).expect("room");
        if log.wants_sync() {
            let end = log.plan_sync_sealed().run().expect("synced");
            assert!(end < log.end(), "the active segment is left alone");
            log.synced(end);
        }
    }
    let end = log.end();
    drop(log);
    let (log, report) = open(storage, config.clone());
    assert_eq!(log.end(), end);
    let bound = config.unsynced_bytes + config.segment_bytes;
    assert!(report.scanned_bytes <= bound, "{report:?}");
}
