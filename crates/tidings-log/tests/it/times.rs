//! Look-ups by time have the precision of a record, compressed or not, and survive a restart.

use proptest::prelude::*;
use tidings_log::batch::Compression;
use tidings_log::storage::Memory;
use tidings_log::testing::BatchBuilder;
use tidings_log::{Log, LogConfig, Offset, TimestampType};

use crate::kit::{open_memory, small, sync};

fn appended(memory: &Memory, batches: &[(Vec<i64>, u8)]) -> (Log, Vec<i64>) {
    let (mut log, _) = open_memory(memory, LogConfig { segment_bytes: 1024, ..small() });
    let mut times = Vec::new();
    for (stamps, compression) in batches {
        let compression = match compression {
            0 => Compression::Gzip,
            1 => Compression::Snappy,
            2 => Compression::Lz4,
            3 => Compression::Zstd,
            _ => Compression::None,
        };
        let batch = stamps.iter().fold(BatchBuilder::new(), |b, t| b.record(*t, None, Some(b"v")));
        log.append(&batch.compression(compression).build(), 0).expect("room");
        times.extend_from_slice(stamps);
    }
    (log, times)
}

fn expected(times: &[i64], start: usize, at: i64) -> Option<(Offset, i64)> {
    let found = times.iter().enumerate().skip(start).find(|(_, time)| **time >= at);
    found.map(|(n, time)| (Offset(n as i64), *time))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_first_record_at_or_after_any_time(
        batches in prop::collection::vec(
            (prop::collection::vec(0..500i64, 1..6), 0..7u8), 1..40),
        deleted in any::<prop::sample::Index>(),
        closed: bool,
    ) {
        let memory = Memory::new();
        let (mut log, times) = appended(&memory, &batches);
        let start = deleted.index(times.len());
        log.delete_before(Offset(start as i64)).expect("in range");
        if closed {
            log.close().expect("closed");
            log = open_memory(&memory, small()).0;
        } else {
            sync(&mut log);
        }
        for at in (0..510).step_by(7) {
            let found = log.offset_for_time(at).expect("memory is readable");
            prop_assert_eq!(found, expected(&times, start, at), "at {}", at);
        }
        let highest = times[start..].iter().max().expect("not empty");
        let found = log.max_timestamp().expect("memory is readable");
        prop_assert_eq!(found, expected(&times, start, *highest));
    }
}

#[test]
fn an_empty_log_has_no_time() {
    let (log, _) = open_memory(&Memory::new(), small());
    assert_eq!(log.offset_for_time(0).expect("readable"), None);
    assert_eq!(log.max_timestamp().expect("readable"), None);
}

#[test]
fn with_the_time_of_the_append_the_records_own_times_do_not_count() {
    let config = LogConfig { timestamp_type: TimestampType::LogAppendTime, ..small() };
    let (mut log, _) = open_memory(&Memory::new(), config);
    for now in [1_000, 2_000] {
        let appended = log.append(&BatchBuilder::filled(3, 1, 77).build(), now).expect("room");
        assert_eq!(appended.log_append_time, Some(now));
    }
    assert_eq!(log.offset_for_time(77).expect("readable"), Some((Offset(0), 1_000)));
    assert_eq!(log.offset_for_time(1_001).expect("readable"), Some((Offset(3), 2_000)));
    assert_eq!(log.max_timestamp().expect("readable"), Some((Offset(3), 2_000)));
}

/// Records that cannot be opened: the answer is the batch's first offset, so that a consumer reads
/// some records too many and never one too few.
#[test]
fn records_that_cannot_be_opened_are_answered_with_their_batch() {
    let (mut log, _) = open_memory(&Memory::new(), small());
    let mut batch = BatchBuilder::new();
    for time in [10, 20, 30] {
        batch = batch.record(time, None, Some(b"value"));
    }
    let mut bytes = batch.build();
    bytes[22] = 3; // says LZ4, which the records are not
    let crc = crc32c::crc32c(&bytes[21..]).to_be_bytes();
    bytes[17..21].copy_from_slice(&crc);
    log.append(&bytes, 0).expect("the log does not open records");
    assert_eq!(log.offset_for_time(15).expect("readable"), Some((Offset(0), 30)));
}
