//! Faults on purpose, one at a time per process: what the history checker has to find.
//!
//! Only with the feature `mutants`, which no build of the product has. Each mutant is a bug that
//! brokers have had; the hooks stand where such a bug would be made.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tidings_log::{Appended, Offset};

use crate::partition::{NotAppended, Partition};

/// A bug that can be switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Batches are acknowledged while they wait in memory for the next one.
    AckBeforeWrite,
    /// Now and then the offset of the record before is given out again.
    ReuseOffset,
    /// After the first few, committed offsets are not written to the journal.
    LoseGroupOffset,
    /// Readers see what is not yet as durable as promised.
    ServeBeyondEnd,
    /// Now and then a fetch leaves out its first batch.
    SkipBatch,
    /// Sequence numbers are not looked at: repetitions are appended again.
    ForgetSequences,
    /// Now and then a batch is appended twice.
    AppendTwice,
    /// Now and then two batches change places.
    SwapBatches,
    /// Now and then a byte of a record changes before its checksum is taken.
    FlipByte,
    /// Now and then a batch goes to the neighbour of its partition.
    WrongPartition,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Mutant; 10] = [
        Mutant::AckBeforeWrite,
        Mutant::ReuseOffset,
        Mutant::LoseGroupOffset,
        Mutant::ServeBeyondEnd,
        Mutant::SkipBatch,
        Mutant::ForgetSequences,
        Mutant::AppendTwice,
        Mutant::SwapBatches,
        Mutant::FlipByte,
        Mutant::WrongPartition,
    ];

    /// As it is called on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Mutant::AckBeforeWrite => "ack-before-write",
            Mutant::ReuseOffset => "reuse-an-offset",
            Mutant::LoseGroupOffset => "lose-a-group-offset",
            Mutant::ServeBeyondEnd => "serve-beyond-the-end",
            Mutant::SkipBatch => "skip-a-batch",
            Mutant::ForgetSequences => "forget-sequences",
            Mutant::AppendTwice => "append-twice",
            Mutant::SwapBatches => "swap-batches",
            Mutant::FlipByte => "flip-a-byte",
            Mutant::WrongPartition => "wrong-partition",
        }
    }
}

/// How often "now and then" is.
const RARELY: u64 = 40;
/// So many changes of offsets are written before the others get lost.
const KEPT_COMMITS: u64 = 6;
/// A batch that waits in memory is written after so long if no other comes.
const HELD_FOR: Duration = Duration::from_millis(30);
/// Of acknowledged ones, so that every kill meets some.
const ACKNOWLEDGED_HELD_FOR: Duration = Duration::from_millis(300);

static ACTIVE: OnceLock<Mutant> = OnceLock::new();
static TURNS: AtomicU64 = AtomicU64::new(0);
/// Batches that wait in memory, by the partition's name.
static HELD: Mutex<Option<HashMap<String, Bytes>>> = Mutex::new(None);

/// Switches a bug on for the rest of the process; only the first call counts.
pub fn switch_on(mutant: Mutant) {
    let _first = ACTIVE.set(mutant);
}

fn is(mutant: Mutant) -> bool {
    ACTIVE.get() == Some(&mutant)
}

fn now_and_then() -> bool {
    TURNS.fetch_add(1, Ordering::Relaxed) % RARELY == RARELY - 1
}

/// Which partition a batch for `index` goes to.
pub(crate) fn index(index: i32) -> i32 {
    if is(Mutant::WrongPartition) && now_and_then() { index ^ 1 } else { index }
}

/// Appends as the mutant does.
pub(crate) fn append(
    partition: &Arc<Partition>,
    records: &Bytes,
    now_ms: i64,
) -> Result<Appended, NotAppended> {
    match ACTIVE.get() {
        Some(Mutant::AckBeforeWrite) => return held(partition, records, now_ms),
        Some(Mutant::SwapBatches) => return swapped(partition, records, now_ms),
        Some(Mutant::ForgetSequences | Mutant::WrongPartition) => {
            return partition.append(&nameless(records), now_ms);
        }
        Some(Mutant::FlipByte) if now_and_then() => {
            let mut changed = BytesMut::from(&records[..]);
            // The last byte is the count of the last record's headers; before it ends the value.
            let at = changed.len() - 2;
            changed[at] ^= 0x40;
            return partition.append(&sealed(changed), now_ms);
        }
        _ => {}
    }
    let mut appended = partition.append(records, now_ms)?;
    match ACTIVE.get() {
        Some(Mutant::AppendTwice) if !appended.duplicate && now_and_then() => {
            partition.append(&nameless(records), now_ms)?;
        }
        Some(Mutant::ReuseOffset)
            if !appended.duplicate && appended.base_offset > Offset(0) && now_and_then() =>
        {
            appended.base_offset = Offset(appended.base_offset.value() - 1);
        }
        _ => {}
    }
    Ok(appended)
}

/// Acknowledges a batch that is only in memory: written when the next one comes, or a little later.
fn held(partition: &Arc<Partition>, records: &Bytes, now_ms: i64) -> Result<Appended, NotAppended> {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let held = held.get_or_insert_default();
    if let Some(before) = held.remove(partition.name()) {
        // It was acknowledged: nobody can be told any more that it was refused.
        let _told = partition.append(&before, now_ms);
    }
    let end = partition.bounds().map_err(|_| NotAppended::Closed)?.high_watermark;
    held.insert(partition.name().to_owned(), records.clone());
    write_later(partition, now_ms, ACKNOWLEDGED_HELD_FOR);
    Ok(told(end))
}

/// Holds a batch back until another one has overtaken it.
fn swapped(
    partition: &Arc<Partition>,
    records: &Bytes,
    now_ms: i64,
) -> Result<Appended, NotAppended> {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let held = held.get_or_insert_default();
    if let Some(before) = held.remove(partition.name()) {
        let appended = partition.append(&nameless(records), now_ms);
        let _told = partition.append(&before, now_ms);
        return appended;
    }
    if !now_and_then() {
        return partition.append(&nameless(records), now_ms);
    }
    held.insert(partition.name().to_owned(), nameless(records));
    write_later(partition, now_ms, HELD_FOR);
    // No offset is known, and none has to be waited for.
    Ok(told(Offset(-1)))
}

fn write_later(partition: &Arc<Partition>, now_ms: i64, after: Duration) {
    let partition = partition.clone();
    std::thread::spawn(move || {
        std::thread::sleep(after);
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(records) = held.get_or_insert_default().remove(partition.name()) {
            let _told = partition.append(&records, now_ms);
        }
    });
}

/// An answer for which nothing has to be durable.
fn told(base_offset: Offset) -> Appended {
    Appended {
        base_offset,
        last_offset: Offset(-1),
        log_start: Offset(0),
        log_append_time: None,
        duplicate: false,
    }
}

/// The batch without its producer and sequence number.
fn nameless(records: &Bytes) -> Bytes {
    let mut changed = BytesMut::from(&records[..]);
    // Producer id, epoch and base sequence: bytes 43 to 57 of a batch.
    changed[43..57].fill(0xff);
    sealed(changed)
}

/// With a checksum that fits: CRC-32C from the attributes on.
fn sealed(mut records: BytesMut) -> Bytes {
    let crc = crc32c::crc32c(&records[21..]);
    records[17..21].copy_from_slice(&crc.to_be_bytes());
    records.freeze()
}

/// How far readers see.
pub(crate) fn visible(high_watermark: Offset, end: Offset) -> Offset {
    if is(Mutant::ServeBeyondEnd) { end } else { high_watermark }
}

/// What of the records that were read is sent.
pub(crate) fn served(records: Bytes) -> Bytes {
    let Some(length) = records.get(8..12).and_then(|bytes| bytes.try_into().ok()) else {
        return records;
    };
    let first = 12 + u32::from_be_bytes(length) as usize;
    if is(Mutant::SkipBatch) && records.len() > first && now_and_then() {
        return records.slice(first..);
    }
    records
}

/// Whether changes of committed offsets are written down: the first few of the process are. Only
/// those before a kill matter, so that now and then would not be enough.
pub(crate) fn is_kept() -> bool {
    !is(Mutant::LoseGroupOffset) || TURNS.fetch_add(1, Ordering::Relaxed) < KEPT_COMMITS
}
