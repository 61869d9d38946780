//! Parked events that had used their attempts up just before it was known that everything fails:
//! with few events that takes longer than their attempts. Their failures were not their own, so
//! they are tried again by themselves.

use std::collections::VecDeque;

use tidings_store::parking::Lane;

use super::machine::Mode;
use super::{Inner, Outages, key_of};
use crate::lanes::Group;
use crate::lanes::delivery::Delivery;
use crate::service::limits::OUTAGE_WINDOW_KEYS;

#[derive(Default)]
pub(super) struct GivenUp {
    /// By the hash of their key, the newest one behind; as many as the window has keys.
    latest: VecDeque<(u64, Lane)>,
    /// Those that are to be tried again.
    due: Vec<Lane>,
}

impl Group {
    /// The handler's event was parked for a person, since it has used its attempts up.
    pub(crate) fn gave_up(&self, index: usize, delivery: &Delivery, lane: Lane) {
        let mut inner = self.outages.each[index].lock();
        let is_probing = inner.machine.mode() == Mode::Probing;
        inner.given_up.push(key_of(delivery), lane, is_probing);
        drop(inner);
        if is_probing {
            self.parked.notify_one();
        }
    }
}

impl Outages {
    /// Hands out what was given up just before an outage began, one after the other, with its
    /// handler.
    pub(crate) fn take_given_up(&self) -> Option<(usize, Lane)> {
        let mut each = self.each.iter().enumerate();
        each.find_map(|(index, outage)| {
            let lane = outage.lock().given_up.take_due();
            lane.map(|lane| (index, lane))
        })
    }

    /// It could not be made due now.
    pub(crate) fn put_back(&self, index: usize, lane: Lane) {
        self.each[index].lock().given_up.put_back(lane);
    }
}

impl Inner {
    /// An outage has begun.
    pub(super) fn revive(&mut self) {
        self.given_up.revive(self.machine.failed_before());
    }
}

impl GivenUp {
    /// An event was parked for a person, since it has no more attempts.
    fn push(&mut self, key: u64, lane: Lane, is_probing: bool) {
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
    fn revive(&mut self, failing: &[u64]) {
        let latest = std::mem::take(&mut self.latest).into_iter();
        self.due.extend(latest.filter(|(key, _)| failing.contains(key)).map(|(_, lane)| lane));
    }

    fn take_due(&mut self) -> Option<Lane> {
        self.due.pop()
    }

    /// It could not be made due now.
    fn put_back(&mut self, lane: Lane) {
        self.due.push(lane);
    }
}
