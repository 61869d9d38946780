//! A model of how a consumer handles events with a store: the lanes of two instances, their shares
//! of a topic, the inbox, the parked keys and whoever drains them, looked through completely. A
//! step is one statement; transactions see and wait for each other as on PostgreSQL at READ
//! COMMITTED (`database.rs`). Where to look: `case.rs` what is explored and which mistakes can be
//! built in, `world.rs` the state, `lanes.rs`, `parks.rs` and `drains.rs` the three transactions,
//! `group.rs` who has which partition, `promises.rs` what has to hold:
//!
//! - the effects of an event happen once, and those of a key in the order of its offsets;
//! - what is below a committed offset is handled or parked, and no commit goes back;
//! - a key is parked exactly as long as events of it wait, and due when its head is;
//! - nobody waits in a ring, and from wherever things stand everything gets done if nothing more
//!   goes wrong: what was given up when a person asks for it, and all other keys without one;
//! - while nothing goes wrong, each handler runs once.
//!
//! **The order of locks.** `parked_key`, the handler's rows, keys of the outbox, inbox: for drains
//! too. A drain that updates the inbox and then writes to the outbox deadlocks with an instance
//! that has lost its partition and is still at the same event: PostgreSQL's insert `ON CONFLICT DO
//! NOTHING` waits for whoever *updates* the row that is there (`mistakes_of_drains_are_found`).
//!
//! **The look on opening.** Order needs one look at `parked_key` that is no older than the end of
//! the event before, from outside or on opening: `one_look_at_the_truth_is_enough`. With the first
//! one, the second does not even change how many states there are. A lock on what is found adds
//! nothing, since whoever finds something leaves; it only waits for a drain to end. For a handler
//! that joins a transaction it is worse. That one has rows already, so it takes its locks in the
//! wrong order, and a drain that wants one of the rows ends it in a deadlock:
//! `a_handler_that_joins_others_must_not_wait_for_its_key`. A plain `SELECT` waits for nobody.
//!
//! **Locking is a statement of its own.** One that waits for a lock and counts counts what was
//! there when it began to wait (`Bug::CountBeforeLock`), so whoever releases a key locks it first
//! and counts then. And to lock or insert is *one* statement (`Bug::InsertThenLock`). All of these
//! waits were also tried on PostgreSQL 15.
//!
//! **Who is first.** The lowest offset is the head, as long as an event lies in one partition. With
//! a copy in another one, as after partitions were added, it may not be, and what was parked first
//! is: `the_head_is_what_was_parked_first`. So that is the rule of the tables.
//!
//! **What leases are for.** Only to save work: here anybody drains what is due, as many at a time
//! as there are.
//!
//! **Left out.** Time: what is due may be tried at any moment. Attempts and causes: a handler that
//! fails is tried again or given up, whichever is worse. Batches, apart from that one question. A
//! second handler: it has rows of its own, and what is finished is then finished for both. Orders
//! of locks within a handler, which are the author's. The purge of the inbox and stored positions.

mod actions;
mod case;
mod database;
mod drains;
mod group;
mod lanes;
mod parks;
mod promises;
mod world;

use case::{Bug, Case, Head, Mishaps, Opening, Record};
use promises::{COMMITTED, DUE, FORWARD, IN_ORDER, INBOX, ONCE, PARKED, RING, RUNS};
use world::Step;

use crate::models;
use crate::models::explorer::LOST;

/// Two events of a key, in one partition.
const TWO_EVENTS: Case = Case {
    records: &[record(0, 0, 0), record(0, 0, 1)],
    handler: &[],
    shares: false,
    opening: Opening::Locks,
    head: Head::LowestOffset,
    joins: false,
    drainers: 2,
    has_person: true,
    mishaps: CALM,
    bug: None,
    promise: None,
};
/// Handlers that want what others may have: a key of the outbox; a row and a key of the outbox.
const PUBLISHING: Case = Case { handler: &[Step::Publish], ..TWO_EVENTS };
const BOTH: Case = Case { handler: &[Step::Write, Step::Publish], ..TWO_EVENTS };
/// Handlers that join a transaction in which another one has written a row that all of them write.
const JOINING: Case = Case { handler: &[Step::Write], joins: true, ..TWO_EVENTS };
const THREE_EVENTS: Case =
    Case { records: &[record(0, 0, 0), record(0, 0, 1), record(0, 0, 2)], ..TWO_EVENTS };
/// An event whose copy comes late, and one whose copy lies in another partition.
const COPY: Case =
    Case { records: &[record(0, 0, 0), record(0, 0, 1), record(0, 0, 0)], ..TWO_EVENTS };
const COPY_ELSEWHERE: Case = Case { records: &[record(0, 0, 0), record(1, 0, 0)], ..TWO_EVENTS };
/// Both: an event whose copy lies in another partition, and one behind it.
const COPY_APART: Case =
    Case { records: &[record(0, 0, 0), record(0, 0, 1), record(1, 0, 0)], ..TWO_EVENTS };
/// Two keys of a partition, whose handlers write the same row and publish to the same key.
const TWO_KEYS: Case = Case { records: &[record(0, 0, 0), record(0, 1, 1)], shares: true, ..BOTH };
/// A key in two partitions, as after partitions were added by force.
const TWO_PARTITIONS: Case = Case { records: &[record(0, 0, 0), record(1, 0, 1)], ..TWO_EVENTS };

const CALM: Mishaps = Mishaps { failures: 0, rebalances: 0, crashes: 0, breaks: 0 };
const FAILURE: Mishaps = Mishaps { failures: 1, ..CALM };
const FAILURES: Mishaps = Mishaps { failures: 2, ..CALM };
/// A failure, and an instance that goes on for a while after it has lost its partition.
const ZOMBIE: Mishaps = Mishaps { rebalances: 1, ..FAILURE };
const CRASH: Mishaps = Mishaps { crashes: 1, ..FAILURE };
const BREAK: Mishaps = Mishaps { breaks: 1, ..FAILURE };

#[test]
fn while_nothing_goes_wrong() {
    for case in [BOTH, JOINING, THREE_EVENTS, COPY, COPY_ELSEWHERE, TWO_KEYS, TWO_PARTITIONS] {
        keeps(case, CALM);
    }
}

#[test]
fn a_key_survives_failures_of_its_handler() {
    keeps(THREE_EVENTS, Mishaps { failures: 3, ..CALM });
    keeps(BOTH, Mishaps { crashes: 1, ..FAILURES });
    keeps(BOTH, Mishaps { breaks: 1, ..FAILURES });
    keeps(THREE_EVENTS, Mishaps { breaks: 1, ..CRASH });
}

#[test]
fn a_key_survives_an_instance_that_has_lost_its_partition() {
    keeps(BOTH, ZOMBIE);
    keeps(Case { drainers: 1, ..TWO_EVENTS }, Mishaps { rebalances: 1, ..FAILURES });
}

#[test]
fn a_key_survives_a_lost_partition_and_a_crash() {
    keeps(TWO_EVENTS, Mishaps { crashes: 1, ..ZOMBIE });
}

#[test]
fn a_key_survives_a_lost_partition_and_a_lost_answer() {
    keeps(TWO_EVENTS, Mishaps { breaks: 1, ..ZOMBIE });
}

#[test]
fn a_key_survives_a_partition_that_comes_back() {
    keeps(TWO_EVENTS, Mishaps { rebalances: 2, ..ZOMBIE });
}

#[test]
fn a_key_of_three_events() {
    keeps(Case { drainers: 1, ..THREE_EVENTS }, ZOMBIE);
}

#[test]
fn copies_of_an_event() {
    keeps(Case { drainers: 1, ..COPY }, ZOMBIE);
    keeps(COPY_ELSEWHERE, Mishaps { crashes: 1, ..FAILURES });
    keeps(COPY_ELSEWHERE, BREAK);
}

#[test]
fn two_keys_that_share_a_row() {
    keeps(TWO_KEYS, Mishaps { crashes: 1, ..FAILURES });
    keeps(TWO_KEYS, Mishaps { breaks: 1, ..FAILURES });
    keeps(Case { drainers: 1, ..TWO_KEYS }, Mishaps { rebalances: 1, ..CALM });
}

/// Its key waits, for as long as nobody comes. Other keys go on, and offsets are committed.
#[test]
fn what_is_given_up_holds_up_nobody_else() {
    keeps(Case { has_person: false, ..TWO_KEYS }, Mishaps { crashes: 1, ..FAILURES });
    keeps(Case { has_person: false, ..THREE_EVENTS }, FAILURES);
    breaks(LOST, Case { has_person: false, ..with(Bug::WaitForParked, TWO_KEYS) }, FAILURE);
}

#[test]
fn a_key_in_two_partitions() {
    keeps(TWO_PARTITIONS, FAILURES);
    keeps(TWO_PARTITIONS, CRASH);
    keeps(Case { drainers: 1, ..TWO_PARTITIONS }, ZOMBIE);
}

#[test]
fn mistakes_of_lanes_are_found() {
    breaks(IN_ORDER, with(Bug::Overtake, TWO_EVENTS), CALM);
    breaks(RUNS, with(Bug::NoLookIntoInbox, COPY), CALM);
    breaks(ONCE, with(Bug::UnheededInbox, TWO_EVENTS), ZOMBIE);
    breaks(INBOX, with(Bug::UnheededInbox, TWO_EVENTS), ZOMBIE);
    breaks(RING, with(Bug::InboxBeforeKeyInLanes, TWO_PARTITIONS), ZOMBIE);
}

#[test]
fn mistakes_in_commits_are_found() {
    breaks(COMMITTED, with(Bug::CommitHighest, TWO_KEYS), CALM);
    breaks(COMMITTED, with(Bug::GoOnBeforeParked, TWO_EVENTS), FAILURE);
    breaks(LOST, with(Bug::GoOnBeforeParked, TWO_EVENTS), CRASH);
    breaks(FORWARD, with(Bug::CommitStale, TWO_EVENTS), ZOMBIE);
}

#[test]
fn mistakes_in_parking_are_found() {
    breaks(ONCE, with(Bug::UnheededInboxInParking, TWO_EVENTS), ZOMBIE);
    breaks(INBOX, with(Bug::UnheededInboxInParking, TWO_EVENTS), ZOMBIE);
    breaks(PARKED, with(Bug::ParkBehindNothing, TWO_EVENTS), FAILURE);
    breaks(LOST, with(Bug::ParkBehindNothing, TWO_EVENTS), FAILURE);
    breaks(PARKED, with(Bug::InsertThenLock, TWO_PARTITIONS), FAILURES);
    breaks(DUE, with(Bug::DueOfLast, TWO_EVENTS), FAILURE);
    let mishaps = Mishaps { rebalances: 1, ..FAILURES };
    breaks(RING, with(Bug::InboxBeforeKeyBehind, TWO_PARTITIONS), mishaps);
}

#[test]
fn mistakes_of_drains_are_found() {
    breaks(PARKED, with(Bug::DrainWithoutLock, TWO_EVENTS), FAILURE);
    breaks(PARKED, with(Bug::CountBeforeLock, TWO_EVENTS), FAILURE);
    breaks(ONCE, with(Bug::UnheededDelete, TWO_EVENTS), FAILURE);
    breaks(DUE, with(Bug::UnheededFailure, TWO_EVENTS), FAILURES);
    breaks(RING, with(Bug::OutboxLast, PUBLISHING), ZOMBIE);
}

/// What an instance remembers is wrong as soon as somebody parks the key. Either look finds that
/// out, whether or not it waits; without any of them the next event of the key is handled first.
#[test]
fn one_look_at_the_truth_is_enough() {
    for case in [BOTH, Case { drainers: 1, ..TWO_PARTITIONS }] {
        let states = keeps(case, ZOMBIE);
        assert_eq!(keeps(Case { opening: Opening::Looks, ..case }, ZOMBIE), states);
        assert_eq!(keeps(Case { opening: Opening::Trusts, ..case }, ZOMBIE), states);
    }

    let remembering = with(Bug::RememberedKey, TWO_EVENTS);
    keeps(Case { opening: Opening::Locks, ..remembering }, ZOMBIE);
    keeps(Case { opening: Opening::Looks, ..remembering }, ZOMBIE);
    breaks(IN_ORDER, Case { opening: Opening::Trusts, ..remembering }, FAILURE);
}

/// The joining handler's transaction has the row and waits for the key, which a drain has that
/// waits for the row.
#[test]
fn a_handler_that_joins_others_must_not_wait_for_its_key() {
    breaks(RING, JOINING, ZOMBIE);
    keeps(Case { opening: Opening::Looks, ..JOINING }, ZOMBIE);
}

/// The inbox row is written last because of handlers that swallow an error, not for the sake of
/// these promises. Whoever parks a key that was released makes a detour: its event is the head and
/// due at once. And while *all* who park take the inbox row first, they wait for nobody with it
/// who could want it: a row that is parked is in the inbox already.
/// A copy is parked where it lies, in the higher partition; what is behind its event is parked
/// behind it, with the lower one, and would be drained first. In the order of parking it is not: a
/// lane parks an event only when all before it are handled or parked.
#[test]
fn the_head_is_what_was_parked_first() {
    breaks(IN_ORDER, COPY_APART, FAILURE);
    let first = |case: Case| Case { head: Head::FirstParked, drainers: 1, ..case };
    for case in [COPY_APART, THREE_EVENTS, COPY, TWO_PARTITIONS] {
        keeps(first(case), ZOMBIE);
    }
    keeps(first(TWO_EVENTS), Mishaps { rebalances: 1, ..FAILURES });
}

#[test]
fn mistakes_that_cost_nothing_that_is_promised() {
    keeps(with(Bug::InboxFirst, BOTH), ZOMBIE);
    keeps(with(Bug::ParkReleasedKey, TWO_EVENTS), ZOMBIE);
    keeps(with(Bug::InboxBeforeKeyInParking, TWO_EVENTS), ZOMBIE);
    let in_two_partitions = Case { drainers: 1, ..TWO_PARTITIONS };
    keeps(with(Bug::InboxBeforeKeyInParking, in_two_partitions), ZOMBIE);
}

/// With a store, what is finished is a fact, whoever tells it. A commit for an assignment that is
/// over sets the group back, so that events are seen once more; it never passes one.
#[test]
fn a_stale_commit_costs_neither_order_nor_events() {
    for promise in [ONCE, IN_ORDER, COMMITTED] {
        let case = Case { drainers: 1, promise: Some(promise), ..TWO_EVENTS };
        keeps(with(Bug::CommitStale, case), ZOMBIE);
    }
}

const fn record(partition: usize, key: usize, event: usize) -> Record {
    Record { partition, key, event }
}

fn with(bug: Bug, case: Case) -> Case {
    Case { bug: Some(bug), ..case }
}

/// Looks at everything that can happen; returns how many states that is.
fn keeps(case: Case, mishaps: Mishaps) -> usize {
    models::keeps(&Case { mishaps, ..case })
}

/// Finds the shortest way to break this promise.
fn breaks(promise: &'static str, case: Case, mishaps: Mishaps) {
    models::breaks(promise, &Case { mishaps, promise: Some(promise), ..case });
}
