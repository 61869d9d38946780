//! One assignment of one partition: what its records, handlers and results have in common, and
//! how a revocation reaches those that run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// A partition as it was assigned to this instance. Assigned again, it is another place.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    /// Grows with each assignment of this consumer. Results carry it, so that those of an earlier
    /// assignment are recognised and thrown away.
    pub(crate) assignment: u64,
    phase: AtomicU8,
    changed: Notify,
}

/// What may still happen at a place. It only ever goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Everything.
    Active = 0,
    /// What runs may end; nothing begins.
    Draining = 1,
    /// Nothing: what still runs is dropped.
    Cancelled = 2,
}

impl Place {
    pub(crate) fn new(topic: Arc<str>, partition: i32, assignment: u64) -> Place {
        let phase = AtomicU8::new(Phase::Active as u8);
        Place { topic, partition, assignment, phase, changed: Notify::new() }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub(crate) fn is_active(&self) -> bool {
        self.phase.load(Ordering::Acquire) == Phase::Active as u8
    }

    /// Done as soon as the place is in this phase or beyond.
    pub(crate) async fn reached(&self, phase: Phase) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the phase is read, so a change in between is not missed.
            changed.as_mut().enable();
            if self.phase.load(Ordering::Acquire) >= phase as u8 {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_phase_reaches_those_who_wait_for_it_and_those_who_come_later() {
        let place = Arc::new(Place::new("orders".into(), 0, 1));
        assert!(place.is_active());
        let wait = |phase| {
            let place = Arc::clone(&place);
            tokio::spawn(async move { place.reached(phase).await })
        };
        let (draining, cancelled) = (wait(Phase::Draining), wait(Phase::Cancelled));
        tokio::task::yield_now().await;
        place.enter(Phase::Draining);
        draining.await.expect("it ends");
        assert!(!place.is_active() && !cancelled.is_finished());
        place.enter(Phase::Cancelled);
        cancelled.await.expect("it ends");
        place.enter(Phase::Draining);
        place.reached(Phase::Cancelled).await;
    }
}
