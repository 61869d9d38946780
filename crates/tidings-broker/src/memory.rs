//! Counts what is appended, so that the memory budget is looked at when it may be exceeded and
//! not at each append.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::Notify;

/// Calls for a look after every so many bytes.
#[derive(Debug)]
pub(crate) struct Memory {
    step_bytes: u64,
    since_look: AtomicU64,
    look: Notify,
}

impl Memory {
    pub(crate) fn new(step_bytes: u64) -> Memory {
        Memory { step_bytes, since_look: AtomicU64::new(0), look: Notify::new() }
    }

    /// Counts appended bytes.
    pub(crate) fn appended(&self, bytes: usize) {
        let bytes = bytes as u64;
        if self.since_look.fetch_add(bytes, Relaxed) + bytes >= self.step_bytes {
            self.since_look.store(0, Relaxed);
            self.look.notify_one();
        }
    }

    /// Returns when a look is due.
    pub(crate) async fn look_due(&self) {
        self.look.notified().await;
    }
}
