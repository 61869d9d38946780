//! What several test modules need: a small log, and reading all of it.

use std::sync::Arc;

use tidings_log::check::check_storage;
use tidings_log::storage::{Memory, Storage};
use tidings_log::{CheckReport, Log, LogConfig, Offset, RecoveryReport, batch};

/// Where the tests' log lives.
pub const DIR: &str = "topic/0";

/// Small enough that a test has several segments.
pub fn small() -> LogConfig {
    LogConfig { segment_bytes: 4096, index_interval_bytes: 300, ..LogConfig::default() }
}

pub fn open(storage: Arc<dyn Storage>, config: LogConfig) -> (Log, RecoveryReport) {
    Log::open(storage, DIR, config).expect("it opens")
}

pub fn open_memory(memory: &Memory, config: LogConfig) -> (Log, RecoveryReport) {
    open(Arc::new(memory.clone()), config)
}

/// The bytes of all batches from `from` on, read in steps.
pub fn bytes_from(log: &Log, from: Offset) -> Vec<u8> {
    let mut all = Vec::new();
    let mut at = from;
    loop {
        let plan = log.plan_read(at, 2000, log.end()).expect("in range");
        let data = plan.read().expect("readable");
        if data.is_empty() {
            return all;
        }
        batch::validate(&data, 1 << 24).expect("whole and sound batches only");
        all.extend_from_slice(&data);
        let last = batch::batches(&data).last().expect("not empty").expect("whole");
        at = last.0.next_offset();
    }
}

/// The base offsets of all batches from the start on.
pub fn base_offsets(log: &Log) -> Vec<i64> {
    let data = bytes_from(log, log.start());
    batch::batches(&data).map(|b| b.expect("whole").0.base_offset.value()).collect()
}

/// Syncs, and tells the log so.
pub fn sync(log: &mut Log) {
    let end = log.plan_sync().run().expect("synced");
    log.synced(end);
}

/// The checker's verdict on a storage without a format file.
pub fn checked(memory: &Memory) -> CheckReport {
    let mut report = CheckReport::default();
    check_storage(memory, &mut report).expect("memory can be listed");
    report
}
