//! The latest outcomes of one handler, one per key: does one key fail, or everything?

use std::collections::VecDeque;

use crate::service::limits::{OUTAGE_FAILED_MIN, OUTAGE_WINDOW_KEYS, QUIET_SUCCESSES};

/// The latest outcome of each of the last keys, the newest one behind. Keys are known by a hash.
#[derive(Debug, Default)]
pub(super) struct Window {
    latest: VecDeque<(u64, bool)>,
    /// Successes since the last failure, or since it began.
    in_a_row: u32,
}

impl Window {
    pub(super) fn push(&mut self, key: u64, succeeded: bool) {
        if let Some(at) = self.latest.iter().position(|(known, _)| *known == key) {
            self.latest.remove(at);
        } else if self.latest.len() == OUTAGE_WINDOW_KEYS {
            self.latest.pop_front();
        }
        self.latest.push_back((key, succeeded));
        self.in_a_row = if succeeded { self.in_a_row.saturating_add(1) } else { 0 };
    }

    /// Whether nearly everything fails: many keys, and hardly one that does not.
    pub(super) fn is_down(&self) -> bool {
        let failed = self.failed();
        failed >= OUTAGE_FAILED_MIN && (self.latest.len() - failed) * 10 <= self.latest.len()
    }

    /// Whether a further success would tell nothing: no key has failed lately, and either there is
    /// no room for more, or it seems that the handler has no more keys. Which keys they are does
    /// not matter then: whatever fails next takes the place of one success.
    pub(super) fn is_quiet(&self) -> bool {
        let full = self.latest.len() == OUTAGE_WINDOW_KEYS;
        (full || self.in_a_row >= QUIET_SUCCESSES) && self.failed() == 0
    }

    fn failed(&self) -> usize {
        self.failing().count()
    }

    /// The keys whose latest outcome is a failure.
    pub(super) fn failing(&self) -> impl Iterator<Item = u64> {
        self.latest.iter().filter(|(_, succeeded)| !succeeded).map(|(key, _)| *key)
    }
}
