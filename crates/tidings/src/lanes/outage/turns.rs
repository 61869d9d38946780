//! Who waits for an attempt while its handler is probed: events in their lanes, and parked keys.
//! The two take turns, as one may have many that wait; each is served in the order of arrival.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

/// Where those come from that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Their lanes in memory.
    Lanes,
    /// Parked keys.
    Parked,
}

#[derive(Default)]
pub(super) struct Turns {
    /// By the order of their arrival.
    lanes: BTreeMap<u64, Arc<Notify>>,
    parked: BTreeMap<u64, Arc<Notify>>,
    last: u64,
    /// The last one that was served came from its lane.
    lane_was_served: bool,
}

impl Turns {
    /// A place at the end; the bell rings when it may be this one's turn.
    pub(super) fn enter(&mut self, queue: Queue) -> (u64, Arc<Notify>) {
        self.last += 1;
        let (number, bell) = (self.last, Arc::new(Notify::new()));
        self.of(queue).insert(number, Arc::clone(&bell));
        (number, bell)
    }

    pub(super) fn leave(&mut self, queue: Queue, number: u64) {
        self.of(queue).remove(&number);
    }

    /// The first one is served.
    pub(super) fn serve(&mut self, queue: Queue, number: u64) {
        self.leave(queue, number);
        self.lane_was_served = queue == Queue::Lanes;
    }

    pub(super) fn is_first(&self, queue: Queue, number: u64) -> bool {
        self.first().is_some_and(|(of, its, _)| (of, its) == (queue, number))
    }

    pub(super) fn ring_first(&self) {
        if let Some((_, _, bell)) = self.first() {
            bell.notify_one();
        }
    }

    pub(super) fn ring_all(&self) {
        self.lanes.values().chain(self.parked.values()).for_each(|bell| bell.notify_one());
    }

    pub(super) fn waiting(&self) -> usize {
        self.lanes.len() + self.parked.len()
    }

    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    fn first(&self) -> Option<(Queue, u64, &Arc<Notify>)> {
        let lane = self.lanes.first_key_value().map(|(n, bell)| (Queue::Lanes, *n, bell));
        let parked = self.parked.first_key_value().map(|(n, bell)| (Queue::Parked, *n, bell));
        if self.lane_was_served { parked.or(lane) } else { lane.or(parked) }
    }

    fn of(&mut self, queue: Queue) -> &mut BTreeMap<u64, Arc<Notify>> {
        match queue {
            Queue::Lanes => &mut self.lanes,
            Queue::Parked => &mut self.parked,
        }
    }
}
