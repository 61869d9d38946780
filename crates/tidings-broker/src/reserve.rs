//! Keeps the last of a disk for what must go on when it is full: commits of offsets, members of
//! groups, and whatever the log saves about itself. Records are refused before that is touched.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use nix::sys::statvfs::statvfs;

/// A twentieth of the disk, but never more than this: journals stay far below.
const RESERVE_MAX_BYTES: i64 = 64 << 20;
/// The disk is looked at again after so many bytes of records at the latest: others fill it, too.
const LOOK_EVERY_BYTES: i64 = 64 << 20;

#[derive(Debug)]
pub(crate) struct Reserve {
    /// None in memory, where the log's own budget counts.
    dir: Option<PathBuf>,
    /// Bytes of records that fit for sure, as far as nobody else writes.
    admitted: AtomicI64,
}

impl Reserve {
    pub(crate) fn new(dir: Option<&Path>) -> Reserve {
        Reserve { dir: dir.map(Path::to_owned), admitted: AtomicI64::new(0) }
    }

    /// Whether so many bytes of records may be written. A look at the disk is one system call, made
    /// once in many megabytes, and at each try while there is no room.
    pub(crate) fn admits(&self, bytes: usize) -> bool {
        let Some(dir) = &self.dir else { return true };
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        if self.admitted.fetch_sub(bytes, Relaxed) >= bytes {
            return true;
        }
        // Without an answer the write itself will tell.
        let Ok(disk) = statvfs(dir) else { return true };
        let block = disk.fragment_size();
        let room = room(disk.blocks() * block, disk.blocks_available() * block);
        // Half of it, since indexes grow beside the records.
        self.admitted.store((room / 2).min(LOOK_EVERY_BYTES), Relaxed);
        room >= bytes
    }

    /// The disk turned out to be full, whatever was known of it.
    pub(crate) fn look_again(&self) {
        self.admitted.store(0, Relaxed);
    }
}

/// What records may take of a disk of so many bytes of which so many are free.
fn room(all: u64, free: u64) -> i64 {
    let bytes = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
    bytes(free) - (bytes(all) / 20).min(RESERVE_MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_is_kept_and_of_a_large_disk_64_mib() {
        let mib = |n: u64| n << 20;
        assert_eq!(room(mib(20), mib(11)), 10 << 20);
        assert_eq!(room(mib(20), 0), -(1 << 20), "somebody else has taken the reserve");
        assert_eq!(room(mib(1 << 20), mib(1000)), (1000 - 64) << 20);
        assert!(room(u64::MAX, u64::MAX) > 0);
    }

    #[test]
    fn in_memory_nothing_is_kept() {
        assert!(Reserve::new(None).admits(usize::MAX));
    }
}
