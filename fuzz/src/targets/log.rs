//! A partition's directory with any files in it. Whatever recovery makes of them, nothing panics or
//! hangs, and the log takes a record at its end. Where a check of every byte finds nothing wrong,
//! reads must get ahead, the record is given back, and the log is the same when opened again. In a
//! directory with damage under a right checksum less can be asked: what an index vouches for is
//! trusted unread, so a read may end in an error that names the damage.

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
    let checked = check::check_storage(&memory, &mut report);
    let storage = Arc::new(memory);
    let Ok((mut log, recovered)) = Log::open(storage.clone(), DIR, config()) else { return };
    let sound = checked.is_ok() && report.is_ok() && recovered.is_clean();
    read_all(&log, sound);
    let end = log.end();
    let batch = BatchBuilder::new().record(5, Some(b"k"), Some(b"v")).build();
    let bytes = batch.len();
    let Ok(appended) = log.append(&batch, 10) else {
        assert!(end.value() == i64::MAX, "a recovered log that ends at {end} takes a record");
        return;
    };
    assert_eq!(appended.base_offset, end);
    let last = log.plan_read(end, 1, log.end()).expect("in range").read();
    if sound {
        assert_eq!(last.expect("readable").len(), bytes, "what was just appended is read back");
    }
    let _ = log.offset_for_time(5);
    let _ = log.max_timestamp();
    log.retain(1 << 40);
    let (start, end) = (log.start(), log.end());
    log.close().expect("memory does not fail");
    let (again, report) = Log::open(storage, DIR, config()).expect("opens again");
    if sound {
        assert_eq!((again.start(), again.end()), (start, end), "{report:?}");
    }
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

fn read_all(log: &Log, sound: bool) {
    let mut at = log.start();
    for _ in 0..64 {
        let Ok(plan) = log.plan_read(at, 1024, log.end()) else { return };
        let Ok(read) = plan.read() else { return };
        let Some(Ok((header, _))) = tidings_log::batch::batches(&read).last() else { return };
        assert!(header.next_offset() > at || !sound, "a read goes on");
        at = header.next_offset();
    }
    let _ = log.plan_read(Offset(at.value()), 1, log.end());
}
