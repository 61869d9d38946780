//! One partition's durable segmented log: append, read, recover, retain.
//!
//! This crate is the ground the embedded broker stands on. It knows Kafka's record batches
//! (message format 2) as opaque, checksummed byte ranges and keeps them in segment files, so that a
//! fetch is one read of the very bytes that a producer sent. It is synchronous, has no clock and no
//! threads: time comes in as an argument, and the slow parts (reading, syncing) are *plans* that
//! the caller takes under its own lock and runs outside of it.
//!
//! What an `Ok` promises:
//! - [`Log::append`]: the records are in the system's page cache (they survive `kill -9`).
//! - [`SyncPlan::run`]: everything below the returned offset is on the disk (survives power loss).
//! - A failed write or sync fences the log: it takes no more records until it is opened again.

pub mod batch;
pub mod check;
mod compression;
pub mod data_dir;
mod file_header;
mod index;
pub mod journal;
pub mod limits;
pub mod log;
pub mod offset;
pub mod producers;
mod records;
mod scan;
mod segment;
pub mod storage;
pub mod testing;
mod varint;

pub use check::{CheckReport, JournalCheck, PartitionCheck, check};
pub use data_dir::{DataDir, DataDirError};
pub use journal::{Journal, JournalError, JournalRecovery, JournalSync};
pub use log::{
    AppendError, Appended, DeleteError, Log, LogConfig, OpenError, ReadError, ReadPlan,
    RecoveryReport, RemovalReason, RemovedSegment, SyncError, SyncPlan, TimePlan, TimestampType,
};
pub use offset::Offset;
