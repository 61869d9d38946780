//! The way into an outage and out of it, without a service: by cases, and by chance.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::machine::{Change, Machine, Mode, Outcome, Ticket};
use super::probing::May;
use super::turns::{Queue, Turns};
use crate::lanes::retry::Jitter;
use crate::service::limits::{AWAY_DELAY_MAX, OUTAGE_WIDTH_MAX};

/// A machine with a clock that only the test moves.
struct Handler {
    machine: Machine,
    now: Duration,
    jitter: Jitter,
}

impl Handler {
    fn new() -> Handler {
        Handler { machine: Machine::new(), now: Duration::ZERO, jitter: Jitter::seeded(7) }
    }

    /// One attempt from its beginning to its end, as soon as it may begin.
    fn attempt(&mut self, key: u64, outcome: Outcome, waiting: usize) -> Change {
        if let May::In(wait) = self.machine.may_begin(self.now) {
            self.now += wait;
        }
        assert_eq!(self.machine.may_begin(self.now), May::Now);
        let ticket = self.machine.begin();
        self.ended(ticket, key, outcome, waiting)
    }

    fn ended(&mut self, ticket: Ticket, key: u64, outcome: Outcome, waiting: usize) -> Change {
        let random = self.jitter.next();
        self.machine.ended(ticket, key, outcome, waiting, self.now, random)
    }

    fn down() -> Handler {
        let mut handler = Handler::new();
        assert_eq!(handler.attempt(0, Outcome::Down, 0), Change::Began);
        handler
    }
}

fn outcome(sign: char) -> Outcome {
    match sign {
        '+' => Outcome::Succeeded,
        '-' => Outcome::Failed,
        'd' => Outcome::Down,
        _ => Outcome::Neither,
    }
}

/// After how many attempts the outage begins: `+` went well, `-` is a retry, `r` a reject, `d`
/// down; each at a key of its own, or at the one whose letter stands before.
fn begins_after(script: &str) -> Option<usize> {
    let mut handler = Handler::new();
    let (mut key, mut attempts) = (0, 0);
    let mut named = None;
    for sign in script.chars().filter(|sign| !sign.is_whitespace()) {
        if sign.is_ascii_uppercase() {
            named = Some(1000 + u64::from(sign));
            continue;
        }
        key += 1;
        attempts += 1;
        let its = named.take().unwrap_or(key);
        if handler.attempt(its, outcome(sign), 0) == Change::Began {
            return Some(attempts);
        }
    }
    None
}

#[test]
fn an_outage_begins_when_nearly_all_keys_fail() {
    let well = "+".repeat(500);
    let cases = [
        ("-".repeat(9), None),
        ("-".repeat(10), Some(10)),
        // One success among eleven is a tenth, two are more.
        (format!("+{}", "-".repeat(10)), Some(11)),
        (format!("++{}", "-".repeat(17)), None),
        (format!("++{}", "-".repeat(18)), Some(20)),
        // However well it was before, it takes no more events than the window has keys.
        (format!("{well}{}", "-".repeat(17)), None),
        (format!("{well}{}", "-".repeat(18)), Some(518)),
        // One key counts once, whatever it does.
        ("A-".repeat(500), None),
        (format!("{}{}", "A-".repeat(100), "-".repeat(9)), Some(109)),
        // Its latest outcome is what counts.
        ("A-B-C-D-E- F-G-H-I- A+ J-K-".to_owned(), Some(12)),
        ("A-B-C-D-E- F-G-H-I- A+ B+ J-K-L-".to_owned(), None),
        // Rejects say nothing.
        ("r".repeat(500), None),
        ("-r".repeat(10), Some(19)),
        ("+r".repeat(3) + &"-".repeat(17), None),
        // The handler knows.
        (format!("{well}d"), Some(501)),
        ("d".to_owned(), Some(1)),
    ];
    for (script, expected) in cases {
        assert_eq!(begins_after(&script), expected, "{script}");
    }
}

#[test]
fn one_bad_key_with_a_third_of_the_traffic_is_no_outage() {
    let mut handler = Handler::new();
    for event in 0..100_000 {
        let (key, outcome) = match event % 10 {
            0 | 3 | 6 => (0, Outcome::Failed),
            _ => (1 + event % 97, Outcome::Succeeded),
        };
        assert_eq!(handler.attempt(key, outcome, 0), Change::None, "at event {event}");
    }
}

#[test]
fn a_little_poison_is_no_outage() {
    let (mut handler, mut jitter) = (Handler::new(), Jitter::seeded(1));
    for event in 0..200_000 {
        let (key, is_poison) = (jitter.next(), jitter.next().is_multiple_of(100));
        // All its attempts, one after the other.
        for _ in 0..if is_poison { 5 } else { 1 } {
            let outcome = if is_poison { Outcome::Failed } else { Outcome::Succeeded };
            assert_eq!(handler.attempt(key, outcome, 0), Change::None, "at event {event}");
        }
    }
}

#[test]
fn pauses_grow_while_it_fails_and_nothing_ends_it() {
    let mut handler = Handler::down();
    let mut pauses = Vec::new();
    for probe in 0..60 {
        let before = handler.now;
        assert_eq!(handler.attempt(probe, Outcome::Failed, 5), Change::None);
        pauses.push(handler.now - before);
    }
    assert!(pauses[0] <= Duration::from_millis(100), "{pauses:?}");
    assert!(pauses[3] > pauses[0] * 4, "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= AWAY_DELAY_MAX), "{pauses:?}");
    assert!(pauses[59] >= AWAY_DELAY_MAX.mul_f64(0.75), "{pauses:?}");
    // A success makes them short again.
    handler.attempt(0, Outcome::Succeeded, 5);
    handler.attempt(1, Outcome::Failed, 5);
    handler.attempt(2, Outcome::Failed, 5);
    assert!(matches!(handler.machine.may_begin(handler.now), May::In(wait) if wait < pauses[2]));
}

#[test]
fn a_success_widens_while_half_succeed() {
    let mut handler = Handler::down();
    handler.attempt(0, Outcome::Succeeded, 99);
    for width in [2, 4, 8] {
        let tickets: Vec<Ticket> = (0..width).map(|_| handler.machine.begin()).collect();
        assert_eq!(handler.machine.may_begin(handler.now), May::Later, "{width} run");
        for (at, ticket) in tickets.into_iter().enumerate() {
            let outcome = if at % 2 == 0 { Outcome::Failed } else { Outcome::Succeeded };
            assert_eq!(handler.ended(ticket, 0, outcome, 99), Change::None);
        }
    }
    // Nine of sixteen fail: alone again, after one pause and not nine.
    let tickets: Vec<Ticket> = (0..16).map(|_| handler.machine.begin()).collect();
    for ticket in tickets {
        handler.ended(ticket, 0, Outcome::Failed, 99);
    }
    let May::In(wait) = handler.machine.may_begin(handler.now) else { panic!("no pause") };
    assert!(wait <= Duration::from_millis(100), "{wait:?}");
    handler.now += wait;
    handler.machine.begin();
    assert_eq!(handler.machine.may_begin(handler.now), May::Later);
}

#[test]
fn it_is_over_when_nobody_waits_any_more_or_many_go_well() {
    let mut alone = Handler::down();
    assert_eq!(alone.attempt(0, Outcome::Succeeded, 0), Change::Over);
    assert_eq!(alone.machine.mode(), Mode::Watched);
    let mut crowded = Handler::down();
    let attempts = (1..).find(|_| crowded.attempt(0, Outcome::Succeeded, 99) == Change::Over);
    assert_eq!(attempts, Some(OUTAGE_WIDTH_MAX * 2 - 1));
}

/// What began before says nothing about now, and is not counted twice.
#[test]
fn attempts_of_earlier_times_count_neither_way() {
    let mut handler = Handler::down();
    assert_eq!(handler.ended(Ticket::WELL, 0, Outcome::Succeeded, 0), Change::None);
    let May::In(wait) = handler.machine.may_begin(handler.now) else { panic!("no pause") };
    handler.now += wait;
    let old = handler.machine.begin();
    assert_eq!(handler.ended(Ticket::WELL, 0, Outcome::Succeeded, 0), Change::None);
    assert_eq!(handler.machine.may_begin(handler.now), May::Later, "the probe runs");
    assert_eq!(handler.ended(old, 0, Outcome::Succeeded, 0), Change::Over);
    // And in the next outage.
    assert_eq!(handler.attempt(0, Outcome::Down, 0), Change::Began);
    assert_eq!(handler.ended(old, 0, Outcome::Succeeded, 0), Change::None);
    assert_eq!(handler.machine.mode(), Mode::Probing);
}

proptest! {
    /// A success that is not recorded, since it tells nothing new, changes nothing later.
    #[test]
    fn the_quiet_hide_nothing(
        outcomes in proptest::collection::vec((0u64..60, 0u8..100), 0..400), bad in 0u8..100,
    ) {
        let (mut all, mut quiet) = (Handler::new(), Handler::new());
        for (key, dice) in outcomes {
            let outcome = if dice < bad { Outcome::Failed } else { Outcome::Succeeded };
            let change = all.attempt(key, outcome, 0);
            let skips = quiet.machine.mode() == Mode::Quiet && outcome == Outcome::Succeeded;
            let told = if skips { Change::None } else { quiet.attempt(key, outcome, 0) };
            prop_assert_eq!(change, told);
            if change == Change::Began {
                return Ok(());
            }
        }
    }

    /// Whatever happens: never more run than may, no pause is longer than half a minute, only a
    /// success ends it, and when everything goes well it ends soon.
    #[test]
    fn every_outage_is_bounded_and_ends(
        script in proptest::collection::vec(
            (0u8..5, any::<prop::sample::Index>(), 0usize..20), 0..400,
        ),
    ) {
        let mut handler = Handler::down();
        let mut running: Vec<Ticket> = Vec::new();
        for (what, which, waiting) in script {
            let may = handler.machine.may_begin(handler.now);
            if let May::In(wait) = may {
                prop_assert!(wait <= AWAY_DELAY_MAX);
                handler.now += wait;
            }
            let is_end = (what > 0 || may == May::Later) && !running.is_empty();
            if !is_end {
                prop_assert!(may != May::Later, "nothing runs and nothing may begin");
                running.push(handler.machine.begin());
                prop_assert!(running.len() <= OUTAGE_WIDTH_MAX * 2);
                continue;
            }
            let ticket = running.swap_remove(which.index(running.len()));
            let outcome = outcome(['+', '-', 'r', 'd', '+'][what as usize]);
            match handler.ended(ticket, 0, outcome, waiting) {
                Change::Over => prop_assert_eq!(outcome, Outcome::Succeeded),
                change => prop_assert!(change == Change::None || outcome == Outcome::Down),
            }
        }
        for ticket in running {
            handler.ended(ticket, 0, Outcome::Neither, 99);
        }
        let mut successes = 0;
        while handler.machine.mode() == Mode::Probing {
            handler.attempt(0, Outcome::Succeeded, 99);
            successes += 1;
            prop_assert!(successes <= OUTAGE_WIDTH_MAX * 4);
        }
    }

    /// Everyone who waits is served, in order within its queue, and neither queue twice in a row
    /// while both wait.
    #[test]
    fn both_queues_are_served_in_turn(
        steps in proptest::collection::vec((0u8..4, any::<prop::sample::Index>()), 0..200),
    ) {
        let mut turns = Turns::default();
        let mut waiting: BTreeSet<(u64, bool)> = BTreeSet::new();
        let mut last = None;
        for (step, which) in steps {
            if step < 2 {
                let queue = if step == 0 { Queue::Lanes } else { Queue::Parked };
                waiting.insert((turns.enter(queue).0, step == 0));
                continue;
            }
            if waiting.is_empty() {
                continue;
            }
            let of = |is_lane| if is_lane { Queue::Lanes } else { Queue::Parked };
            if step == 2 {
                let gone = *waiting.iter().nth(which.index(waiting.len())).expect("it is there");
                turns.leave(of(gone.1), gone.0);
                waiting.remove(&gone);
                continue;
            }
            let first = |is_lane| waiting.iter().find(|(_, its)| *its == is_lane).copied();
            let firsts = [first(true), first(false)].into_iter().flatten();
            let served: Vec<(u64, bool)> =
                firsts.filter(|(n, is_lane)| turns.is_first(of(*is_lane), *n)).collect();
            prop_assert_eq!(served.len(), 1, "one is the first");
            let (number, is_lane) = served[0];
            let both = first(true).is_some() && first(false).is_some();
            prop_assert!(!both || last != Some(is_lane));
            turns.serve(of(is_lane), number);
            waiting.remove(&served[0]);
            last = Some(is_lane);
            prop_assert_eq!(turns.waiting(), waiting.len());
        }
    }
}
