//! When everything fails: one handler's way into an outage and out of it, as a state machine
//! without clock, randomness or I/O.

use std::time::Duration;

use super::probing::{May, Probing};
use super::window::Window;

/// What an attempt says about what its handler depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    /// A *retry*.
    Failed,
    /// The handler itself says that it is away.
    Down,
    /// A reject, an attempt that did not come to its end, or a trouble of our own.
    Neither,
}

/// Of an attempt that has begun: in which round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

impl Ticket {
    /// Of one that began while the handler was well.
    pub(super) const WELL: Ticket = Ticket(0);
}

/// What an outcome has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Began,
    Over,
}

/// What has to be done around an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing: a success tells nothing new.
    Quiet = 0,
    /// Its outcome has to be told.
    Watched = 1,
    /// It has to wait for its turn, and its outcome has to be told.
    Probing = 2,
}

#[derive(Debug)]
pub(super) struct Machine {
    state: State,
    /// The number of the next outage's first round. Grows for ever, so that nothing that began
    /// earlier is taken for a part of it.
    next_round: u64,
    /// The keys that failed when the last outage began.
    failed_before: Vec<u64>,
}

#[derive(Debug)]
enum State {
    Well(Window),
    Probing(Probing),
}

impl Machine {
    pub(super) fn new() -> Machine {
        Machine {
            state: State::Well(Window::default()),
            next_round: Ticket::WELL.0 + 1,
            failed_before: Vec::new(),
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match &self.state {
            State::Well(window) if window.is_quiet() => Mode::Quiet,
            State::Well(_) => Mode::Watched,
            State::Probing(_) => Mode::Probing,
        }
    }

    /// The keys whose failures the last outage began with.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn failed_before(&self) -> &[u64] {
        &self.failed_before
    }

    pub(super) fn may_begin(&self, now: Duration) -> May {
        match &self.state {
            State::Well(_) => May::Now,
            State::Probing(probing) => probing.may_begin(now),
        }
    }

    pub(super) fn begin(&mut self) -> Ticket {
        match &mut self.state {
            State::Well(_) => Ticket::WELL,
            State::Probing(probing) => Ticket(probing.begin()),
        }
    }

    /// An attempt at an event of this key has ended, while so many wait for their turn.
    pub(super) fn ended(
        &mut self,
        ticket: Ticket,
        key: u64,
        outcome: Outcome,
        waiting: usize,
        now: Duration,
        random: u64,
    ) -> Change {
        match &mut self.state {
            State::Well(window) => {
                match outcome {
                    Outcome::Succeeded => window.push(key, true),
                    Outcome::Failed => window.push(key, false),
                    Outcome::Down | Outcome::Neither => {}
                }
                if outcome != Outcome::Down && !window.is_down() {
                    return Change::None;
                }
                self.failed_before = window.failing().collect();
                self.state = State::Probing(Probing::new(self.next_round, now, random));
                Change::Began
            }
            State::Probing(probing) => {
                if !probing.ended(ticket.0, outcome, waiting, now, random) {
                    return Change::None;
                }
                self.next_round = probing.beyond();
                self.state = State::Well(Window::default());
                Change::Over
            }
        }
    }
}
