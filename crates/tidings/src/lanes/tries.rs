//! What has happened to one event so far, and when it is tried again.

use std::time::Duration;

use super::Group;
use super::attempt::random;
use super::retry::away_delay;
use crate::address::RecordAddress;
use crate::fail::{Fail, FailKind};
use crate::time::Timestamp;

/// What has happened to one event so far.
#[derive(Default)]
pub(crate) struct Tries {
    /// Attempts, all of them: what the handler is told.
    pub(crate) begun: u32,
    /// Those that failed and count.
    counted: u32,
    /// Those for which the store was away, or what the handler depends on.
    away: u32,
    pub(crate) first_failed_at: Option<Timestamp>,
    pub(crate) last_failed_at: Option<Timestamp>,
}

impl Tries {
    /// Of an event that was parked after so many attempts.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn so_far(attempts: u32) -> Tries {
        Tries { begun: attempts, counted: attempts, ..Tries::default() }
    }

    /// The number that is kept with a parked event: while it is tried again those that count, and
    /// all of them when it is not.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn told(&self, due: Option<Duration>) -> u32 {
        if due.is_some() { self.counted } else { self.begun }
    }

    /// The wait before the next attempt; none if that was the last. While the handler is probed no
    /// attempt counts.
    pub(crate) fn after(
        &mut self,
        group: &Group,
        address: &RecordAddress,
        index: Option<usize>,
        fail: &Fail,
    ) -> Option<Duration> {
        let handler = index.map(|index| group.router.handlers[index].name);
        let is_probing = index.is_some_and(|index| group.outages.is_probing(index));
        let now = Timestamp::now();
        self.first_failed_at.get_or_insert(now);
        self.last_failed_at = Some(now);
        let delay = match fail.kind() {
            FailKind::Reject => None,
            // In its turn, which comes when it may.
            _ if is_probing => Some(Duration::ZERO),
            FailKind::Retry => {
                self.counted += 1;
                group.retries.delay_after(self.counted, random())
            }
            FailKind::Down => {
                self.away += 1;
                Some(away_delay(self.away - 1, random()))
            }
        };
        match delay {
            Some(_) if is_probing => tracing::debug!(
                handler, %address, attempt = self.begun, error = %fail,
                "attempt failed, next in its turn",
            ),
            Some(delay) => tracing::warn!(
                handler, %address, attempt = self.begun, error = %fail,
                "attempt failed, next in {} ms", delay.as_millis(),
            ),
            None => tracing::error!(
                handler, %address, attempt = self.begun, error = %fail,
                "given up: to the dead letters",
            ),
        }
        delay
    }
}
