//! Record batches from a producer: looked at, appended, read back, and opened to find a time.

use std::sync::Arc;

use bytes::BytesMut;
use tidings_log::batch::{BatchHeader, batches, validate};
use tidings_log::storage::Memory;
use tidings_log::{Log, LogConfig, Offset, TimestampType};

use crate::files::seal_batch;
use crate::input::Input;

const MAX_BATCH_BYTES: usize = 1 << 20;

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.byte();
    let mut records = BytesMut::from(input.0);
    if choice & 1 == 1 {
        seal_batch(&mut records);
    }
    let _ = BatchHeader::parse(&records);
    for found in batches(&records) {
        let Ok((header, range)) = found else { break };
        assert!(range.end <= records.len(), "{header:?} ends within the bytes");
    }
    let Ok(valid) = validate(&records, MAX_BATCH_BYTES) else { return };
    let timestamp_type =
        if choice & 2 == 2 { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
    let config = LogConfig { timestamp_type, ..LogConfig::default() };
    let (mut log, _) = Log::open(Arc::new(Memory::new()), "t/0", config).expect("opens empty");
    let bytes = records.len();
    let Ok(appended) = log.append(&records, 1_000) else { return };
    assert_eq!(appended.base_offset, Offset(0));
    assert_eq!(log.end(), appended.last_offset.next());
    let read = log.plan_read(Offset(0), usize::MAX, log.end()).expect("in range").read();
    assert_eq!(read.expect("memory does not fail").len(), bytes, "all of it is read back");
    for timestamp in [0, valid.max_timestamp, valid.first.base_timestamp, i64::MAX] {
        if let Ok(Some((offset, _))) = log.offset_for_time(timestamp) {
            assert!(offset >= log.start() && offset < log.end(), "{offset} is in the log");
        }
    }
    if let Ok(Some((offset, _))) = log.max_timestamp() {
        assert!(offset < log.end());
    }
    let (start, end) = (log.start(), log.end());
    let middle = Offset(start.value() + (end.value() - start.value()) / 2);
    if log.delete_before(middle).is_ok() {
        let _ = log.max_timestamp();
    }
}
