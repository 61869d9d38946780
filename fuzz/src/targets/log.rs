//! A partition's directory with any files in it. Whatever recovery makes of them, the log that it
//! opens must take a record, give it back, and be the same when it is opened again.

use std::sync::Arc;

use tidings_log::storage::Memory;
use tidings_log::testing::BatchBuilder;
use tidings_log::{CheckReport, Log, LogConfig, Offset, check};

use crate::files::{seal_index, seal_segment, seal_tail};
use crate::input::Input;

const DIR: &str = "topic/0";
/// Files of one input.
const FILES: usize = 6;

pub(super) fn run(data: &[u8]) {
    let memory = Memory::new();
    let mut input = Input(data);
    for _ in 0..FILES {
        if input.is_empty() {
            break;
        }
        put_file(&memory, &mut input);
    }
    let mut report = CheckReport::default();
    let _ = check::check_storage(&memory, &mut report);
    let storage = Arc::new(memory);
    let Ok((mut log, recovered)) = Log::open(storage.clone(), DIR, config()) else { return };
    read_all(&log);
    let end = log.end();
    let batch = BatchBuilder::new().record(5, Some(b"k"), Some(b"v")).build();
    let bytes = batch.len();
    let Ok(appended) = log.append(&batch, 10) else {
        assert!(end.value() == i64::MAX, "a recovered log that ends at {end} takes a record");
        return;
    };
    assert_eq!(appended.base_offset, end);
    let last = log.plan_read(end, 1, log.end()).expect("in range").read();
    let last = last.expect("readable").len();
    assert_eq!(last, bytes, "what was just appended is read back: {recovered:?}");
    let _ = log.offset_for_time(5);
    let _ = log.max_timestamp();
    log.retain(1 << 40);
    let (start, end) = (log.start(), log.end());
    log.close().expect("memory does not fail");
    let (again, report) = Log::open(storage, DIR, config()).expect("opens again");
    assert_eq!((again.start(), again.end()), (start, end), "{report:?}");
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 4096, index_interval_bytes: 128, ..LogConfig::default() }
}

/// A small offset in the name, so that names and contents can meet.
fn put_file(memory: &Memory, input: &mut Input<'_>) {
    let (kind, at) = (input.byte(), input.byte());
    let mut content = input.piece().to_vec();
    let seal = kind & 0x80 == 0;
    let (stem, extension, tag) = match kind % 4 {
        0 => (format!("{at:020}"), ".log", None),
        1 => (format!("{at:020}"), ".index", None),
        2 => (format!("{at:020}"), ".producers", Some(*b"PROD")),
        _ => ("start".to_owned(), "", Some(*b"STRT")),
    };
    match tag {
        _ if !seal => {}
        Some(tag) => seal_tail(&mut content, tag),
        None if extension == ".log" => seal_segment(&mut content),
        None => seal_index(&mut content),
    }
    memory.put(&format!("{DIR}/{stem}{extension}"), content);
}

fn read_all(log: &Log) {
    let mut at = log.start();
    for _ in 0..64 {
        let Ok(plan) = log.plan_read(at, 1024, log.end()) else { return };
        let Ok(read) = plan.read() else { return };
        let Some(Ok((header, _))) = tidings_log::batch::batches(&read).last() else { return };
        assert!(header.next_offset() > at, "a read goes on");
        at = header.next_offset();
    }
    let _ = log.plan_read(Offset(at.value()), 1, log.end());
}
