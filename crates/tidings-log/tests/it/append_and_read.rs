//! What is appended is read back: in memory and on disk, across segments, closed or killed.

use std::sync::Arc;

use tidings_log::storage::{Disk, Memory, Storage};
use tidings_log::testing::BatchBuilder;
use tidings_log::{Log, LogConfig, Offset, ReadError, batch};

/// Small enough that a test has several segments.
fn small() -> LogConfig {
    LogConfig { segment_bytes: 4096, index_interval_bytes: 300, ..LogConfig::default() }
}

fn open(storage: &Arc<dyn Storage>) -> Log {
    let (log, report) = Log::open(Arc::clone(storage), "topic/0", small()).expect("it opens");
    assert!(report.is_clean(), "{report:?}");
    log
}

fn offsets(log: &Log, from: i64, max_bytes: usize, up_to: i64) -> Vec<i64> {
    let plan = log.plan_read(Offset(from), max_bytes, Offset(up_to)).expect("in range");
    let data = plan.read().expect("readable");
    let headers = batch::batches(&data).map(|b| b.expect("whole batches only").0);
    headers.map(|h| h.base_offset.value()).collect()
}

/// All base offsets from `from` on, read in steps.
fn drain(log: &Log, from: Offset) -> Vec<i64> {
    let mut all = Vec::new();
    let mut at = from;
    loop {
        let data = log.plan_read(at, 1000, log.end()).expect("in range").read().expect("readable");
        if data.is_empty() {
            return all;
        }
        assert!(batch::validate(&data, 1 << 20).is_ok());
        for found in batch::batches(&data) {
            let (header, _) = found.expect("whole batches only");
            all.push(header.base_offset.value());
            at = header.next_offset();
        }
    }
}

fn storages() -> (tempfile::TempDir, [Arc<dyn Storage>; 2]) {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Arc::new(Disk::new(dir.path()));
    (dir, [Arc::new(Memory::new()), disk])
}

#[test]
fn many_batches_over_many_segments() {
    let (_dir, storages) = storages();
    for storage in storages {
        let mut log = open(&storage);
        let mut expected = Vec::new();
        for n in 0..200 {
            let size = 1 + n % 7;
            let appended =
                log.append(&BatchBuilder::filled(size, 20, n as i64).build(), 0).expect("room");
            assert_eq!(appended.last_offset, appended.base_offset.plus(size as i64 - 1));
            expected.push(appended.base_offset.value());
            if n % 50 == 49 {
                let end = log.plan_sync().run().expect("synced");
                log.synced(end);
                assert_eq!(log.synced_end(), log.end());
            }
        }
        assert!(log.segment_count() > 5);
        assert_eq!(drain(&log, Offset::ZERO), expected);
        drop(log);
        let log = open(&storage);
        assert_eq!(drain(&log, Offset::ZERO), expected, "after being killed");
        log.close().expect("closed");
        let (log, report) = Log::open(Arc::clone(&storage), "topic/0", small()).expect("it opens");
        assert_eq!(report.scanned_bytes, 0, "after being closed nothing is read");
        assert_eq!(drain(&log, Offset(300)), {
            let from = expected.iter().rposition(|o| *o <= 300).expect("there is one");
            expected[from..].to_vec()
        });
        for &offset in &expected {
            assert_eq!(offsets(&log, offset, 1, i64::MAX), [offset]);
        }
    }
}

#[test]
fn limits_of_a_read() {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let mut log = open(&storage);
    for _ in 0..5 {
        log.append(&BatchBuilder::filled(2, 50, 1).build(), 0).expect("room");
    }
    let size = BatchBuilder::filled(2, 50, 1).build().len();
    assert_eq!(offsets(&log, 0, 2 * size, 10), [0, 2]);
    assert_eq!(offsets(&log, 0, 2 * size - 1, 10), [0]);
    assert_eq!(offsets(&log, 3, 0, 10), [2], "the batch that holds it, however small the limit");
    assert_eq!(offsets(&log, 0, 1 << 20, 7), [0, 2, 4], "the batch at 6 reaches beyond");
    assert_eq!(offsets(&log, 6, 1 << 20, 7), [0i64; 0]);
    assert_eq!(offsets(&log, 10, 1 << 20, 10), [0i64; 0], "the end is no error");
    let beyond = log.plan_read(Offset(11), 1, Offset(11)).map(drop);
    assert_eq!(beyond, Err(ReadError::OutOfRange { start: Offset(0), end: Offset(10) }));
}
