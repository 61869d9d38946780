//! How many orders are due: a plain calculation that gets the time from outside.

use std::time::Duration;

use crate::Rate;
use crate::limits::ORDERS_PER_BURST;

/// Spaces orders evenly from the moment of its making on.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    placed: u64,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// So many orders are due now, at least one.
    Now(usize),
    /// None is due until so much later.
    In(Duration),
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Pace {
        Pace { rate, placed: 0 }
    }

    /// What is due when `elapsed` has passed since the start. What a stall held up comes in bursts.
    pub(super) fn due(&self, elapsed: Duration) -> Due {
        let Rate::PerSecond(rate) = self.rate else { return Due::Now(ORDERS_PER_BURST) };
        let rate = u128::from(rate.get());
        let nanos = elapsed.as_nanos();
        let by_now = nanos * rate / Duration::from_secs(1).as_nanos() + 1;
        match by_now.saturating_sub(u128::from(self.placed)) {
            0 => {
                let at = u128::from(self.placed) * 1_000_000_000 / rate;
                let wait = u64::try_from(at.saturating_sub(nanos)).unwrap_or(u64::MAX);
                Due::In(Duration::from_nanos(wait.max(1)))
            }
            due => Due::Now(usize::try_from(due).unwrap_or(usize::MAX).min(ORDERS_PER_BURST)),
        }
    }

    /// So many orders have been placed.
    pub(super) fn placed(&mut self, orders: usize) {
        self.placed += orders as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rate: &str, placed: usize, elapsed_ms: u64) -> Due {
        let mut pace = Pace::new(rate.parse().unwrap());
        pace.placed(placed);
        pace.due(Duration::from_millis(elapsed_ms))
    }

    #[test]
    fn orders_are_due_evenly() {
        for (rate, placed, elapsed_ms, due) in [
            ("20", 0, 0, Due::Now(1)),
            ("20", 1, 0, Due::In(Duration::from_millis(50))),
            ("20", 1, 49, Due::In(Duration::from_millis(1))),
            ("20", 1, 50, Due::Now(1)),
            ("20", 1, 1_000, Due::Now(20)),
            ("20", 21, 1_000, Due::In(Duration::from_millis(50))),
            ("20", 0, 3_600_000, Due::Now(ORDERS_PER_BURST)),
            ("1", 1, 1, Due::In(Duration::from_millis(999))),
            ("max", 5_000, 0, Due::Now(ORDERS_PER_BURST)),
        ] {
            assert_eq!(at(rate, placed, elapsed_ms), due, "{rate} {placed} {elapsed_ms}");
        }
    }

    #[test]
    fn a_second_of_waiting_as_told_places_the_rate() {
        for rate in ["1", "3", "7", "20", "999", "100000"] {
            let (mut pace, mut now, mut placed) =
                (Pace::new(rate.parse().unwrap()), Duration::ZERO, 0);
            while now < Duration::from_secs(1) {
                match pace.due(now) {
                    Due::Now(orders) => {
                        pace.placed(orders);
                        placed += orders;
                    }
                    Due::In(wait) => now += wait,
                }
            }
            // The order that is due at the end of the second is the next second's first.
            assert!(placed.abs_diff(rate.parse().unwrap()) <= 1, "{rate}: {placed}");
        }
    }
}
