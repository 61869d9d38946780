//! Parked events that had used their attempts up just before it was known that everything fails:
//! with few events that takes longer than their attempts. Their failures were not their own, so
//! they are tried again by themselves.

use std::collections::VecDeque;

use tidings_store::parking::Lane;

use crate::service::limits::OUTAGE_WINDOW_KEYS;

#[derive(Default)]
pub(super) struct GivenUp {
    /// By the hash of their key, the newest one behind; as many as the window has keys.
    latest: VecDeque<(u64, Lane)>,
    /// Those that are to be tried again.
    due: Vec<Lane>,
}

impl GivenUp {
    /// An event was parked for a person, since it has no more attempts.
    pub(super) fn push(&mut self, key: u64, lane: Lane, is_probing: bool) {
        if is_probing {
            // It was decided before that was known.
            self.due.push(lane);
            return;
        }
        if self.latest.len() == OUTAGE_WINDOW_KEYS {
            self.latest.pop_front();
        }
        self.latest.push_back((key, lane));
    }

    /// An outage has begun, in which these keys were the ones that fail.
    pub(super) fn revive(&mut self, failing: &[u64]) {
        let latest = std::mem::take(&mut self.latest).into_iter();
        self.due.extend(latest.filter(|(key, _)| failing.contains(key)).map(|(_, lane)| lane));
    }

    pub(super) fn take_due(&mut self) -> Option<Lane> {
        self.due.pop()
    }

    /// It could not be made due now.
    pub(super) fn put_back(&mut self, lane: Lane) {
        self.due.push(lane);
    }
}
