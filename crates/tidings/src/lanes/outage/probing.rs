//! What a handler may do while what it depends on is away: one attempt at a time, with growing
//! pauses, until one succeeds; then more and more of them, as long as half succeed.

use std::time::Duration;

use super::machine::Outcome;
use crate::lanes::retry::away_delay;
use crate::service::limits::OUTAGE_WIDTH_MAX;

/// Attempts come in rounds: as many outcomes as attempts may run at the same time.
#[derive(Debug)]
pub(super) struct Probing {
    /// How many attempts may run at the same time.
    width: usize,
    /// Attempts of this outage that run.
    running: usize,
    first_round: u64,
    round: u64,
    succeeded: usize,
    failed: usize,
    /// Rounds that failed since the last success: they make the pauses longer.
    failed_in_a_row: u32,
    /// Nothing begins before.
    not_before: Duration,
}

/// Whether an attempt may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum May {
    Now,
    /// When so much time has passed.
    In(Duration),
    /// When one has ended that runs.
    Later,
}

impl Probing {
    /// Begins with a pause: something has just failed.
    pub(super) fn new(round: u64, now: Duration, random: u64) -> Probing {
        Probing {
            width: 1,
            running: 0,
            first_round: round,
            round,
            succeeded: 0,
            failed: 0,
            failed_in_a_row: 1,
            not_before: now + away_delay(0, random),
        }
    }

    pub(super) fn may_begin(&self, now: Duration) -> May {
        if self.running >= self.width {
            return May::Later;
        }
        match self.not_before.saturating_sub(now) {
            Duration::ZERO => May::Now,
            wait => May::In(wait),
        }
    }

    /// An attempt begins; returns the round that it is part of.
    pub(super) fn begin(&mut self) -> u64 {
        self.running += 1;
        self.round
    }

    /// An attempt of this round has ended, while so many wait for their turn. Returns whether the
    /// outage is over.
    ///
    /// What began in an earlier round, or before the outage, says how it was then, and counts
    /// neither way; so many that fail together make one pause longer, not one each.
    pub(super) fn ended(
        &mut self,
        round: u64,
        outcome: Outcome,
        waiting: usize,
        now: Duration,
        random: u64,
    ) -> bool {
        if round >= self.first_round {
            self.running = self.running.saturating_sub(1);
        }
        if round != self.round {
            return false;
        }
        match outcome {
            Outcome::Neither => return false,
            Outcome::Failed | Outcome::Down => self.failed += 1,
            Outcome::Succeeded => {
                self.succeeded += 1;
                self.failed_in_a_row = 0;
            }
        }
        if self.failed * 2 > self.width {
            self.not_before = now + away_delay(self.failed_in_a_row, random);
            self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
            self.next_round(1);
            return false;
        }
        let is_wanted = waiting > 0 || self.running > 0 || self.succeeded < self.failed;
        if self.succeeded + self.failed >= self.width {
            self.next_round(self.width * 2);
        }
        // Many go well; or this one did, and nobody is kept waiting any more.
        outcome == Outcome::Succeeded && (self.width > OUTAGE_WIDTH_MAX || !is_wanted)
    }

    fn next_round(&mut self, width: usize) {
        self.round += 1;
        (self.width, self.succeeded, self.failed) = (width, 0, 0);
    }

    /// The number of a round that comes after all of this outage.
    pub(super) fn beyond(&self) -> u64 {
        self.round + 1
    }
}
