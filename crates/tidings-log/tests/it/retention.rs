//! Retention by age and size, deletion on request, and giving memory back.

use tidings_log::storage::Memory;
use tidings_log::testing::BatchBuilder;
use tidings_log::{DeleteError, Log, LogConfig, Offset, RemovalReason};

use crate::kit::{base_offsets, open_memory, small, sync};

/// A log with batches of one record at times 0, 10, 20, ...
fn timed(memory: &Memory, config: LogConfig, count: i64) -> Log {
    let (mut log, _) = open_memory(memory, config);
    for n in 0..count {
        log.append(&BatchBuilder::filled(1, 100, n * 10).build(), 0).expect("room");
    }
    log
}

#[test]
fn by_age_whole_segments_go_oldest_first() {
    let memory = Memory::new();
    let config = LogConfig { retention_ms: Some(500), ..small() };
    let mut log = timed(&memory, config, 100);
    let removed = log.retain(1_200);
    assert!(removed.iter().all(|r| r.reason == RemovalReason::Time));
    assert_eq!(removed.last().expect("some").next, log.start());
    let start = log.start().value();
    assert!(start > 0 && start <= 70, "nothing that is younger than 500 ms may go: {start}");
    assert_eq!(base_offsets(&log), (start..100).collect::<Vec<_>>());

    let removed = log.retain(10_000);
    assert!(!removed.is_empty(), "the active segment goes when all of it is too old");
    assert_eq!((log.start(), log.end()), (Offset(100), Offset(100)));
    assert!(log.retain(10_000).is_empty());
    log.append(&BatchBuilder::filled(1, 1, 10_000).build(), 0).expect("room");
    drop(log);
    let (log, report) = open_memory(&memory, small());
    assert!(report.is_clean());
    assert_eq!((log.start(), log.end()), (Offset(100), Offset(101)));
}

#[test]
fn a_record_that_is_exactly_as_old_as_it_may_be_stays() {
    let config = LogConfig { retention_ms: Some(500), ..small() };
    let mut log = timed(&Memory::new(), config, 1);
    assert!(log.retain(500).is_empty());
    assert_eq!(log.retain(501).len(), 1);
}

#[test]
fn records_without_a_timestamp_are_kept() {
    let memory = Memory::new();
    let config = LogConfig { retention_ms: Some(1), ..small() };
    let (mut log, _) = open_memory(&memory, config);
    log.append(&BatchBuilder::filled(1, 1, -1).build(), 0).expect("room");
    assert!(log.retain(i64::MAX).is_empty());
}

#[test]
fn by_size_the_limit_is_kept_and_the_active_segment_stays() {
    let memory = Memory::new();
    let config = LogConfig { retention_bytes: Some(10_000), ..small() };
    let mut log = timed(&memory, config, 200);
    let removed = log.retain(0);
    assert!(!removed.is_empty() && removed.iter().all(|r| r.reason == RemovalReason::Size));
    assert!((10_000..10_000 + 4096).contains(&log.size_bytes()), "{}", log.size_bytes());
    log.set_config(LogConfig { retention_bytes: Some(0), ..small() });
    log.retain(0);
    assert_eq!(log.segment_count(), 1);
    assert!(log.start() < log.end(), "the active one has records");
}

#[test]
fn deleted_records_stay_deleted() {
    let memory = Memory::new();
    let mut log = timed(&memory, small(), 100);
    assert_eq!(log.delete_before(Offset(101)), Err(DeleteError::OutOfRange { end: Offset(100) }));
    for (offset, start) in [(50, 50), (20, 50), (51, 51)] {
        assert_eq!(log.delete_before(Offset(offset)), Ok(Offset(start)));
    }
    assert_eq!(base_offsets(&log), (51..100).collect::<Vec<_>>());
    assert!(log.plan_read(Offset(50), 1, Offset(100)).is_err());
    drop(log);
    let (mut log, _) = open_memory(&memory, small());
    assert_eq!(base_offsets(&log), (51..100).collect::<Vec<_>>());
    assert_eq!(log.delete_before(Offset(100)), Ok(Offset(100)));
    assert_eq!((log.segment_count(), log.oldest_segment_bytes()), (1, 0));
    drop(log);
    let (mut log, _) = open_memory(&memory, small());
    assert_eq!((log.start(), log.end()), (Offset(100), Offset(100)));
    let appended = log.append(&BatchBuilder::filled(1, 1, 1).build(), 0).expect("room");
    assert_eq!((appended.base_offset, appended.log_start), (Offset(100), Offset(100)));
}

#[test]
fn shrinking_frees_all_there_is() {
    let memory = Memory::new();
    let mut log = timed(&memory, small(), 100);
    let mut freed = 0;
    while let Some(removed) = log.shrink() {
        assert_eq!(removed.reason, RemovalReason::Memory);
        freed += removed.bytes;
    }
    assert!(freed > 15_000 && memory.bytes() < 100, "{} left", memory.bytes());
    assert_eq!(log.start(), Offset(100));
}

#[test]
fn a_read_that_was_planned_before_is_not_disturbed() {
    let memory = Memory::new();
    let mut log = timed(&memory, small(), 100);
    let plan = log.plan_read(Offset(0), 1 << 20, Offset(100)).expect("in range");
    log.delete_before(Offset(100)).expect("in range");
    match plan.read() {
        Ok(data) => assert!(tidings_log::batch::validate(&data, 1 << 20).is_ok()),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
}

#[test]
fn a_deleted_log_is_gone() {
    let memory = Memory::new();
    let mut log = timed(&memory, small(), 100);
    let plan = {
        sync(&mut log);
        log.append(&BatchBuilder::filled(1, 1, 1).build(), 0).expect("room");
        log.plan_sync()
    };
    drop(log);
    Log::delete(&memory, crate::kit::DIR).expect("memory lets it go");
    assert!(plan.run().is_ok(), "a sync that was planned before is not disturbed");
    assert_eq!(memory.paths(), Vec::<String>::new());
    Log::delete(&memory, crate::kit::DIR).expect("a second time is fine");
}
