//! What is promised, and how it is seen in a state.

use crate::models::parking::case::Case;
use crate::models::parking::database::Outcome;
use crate::models::parking::world::{KEYS, PARTITIONS, World};

/// What the inbox is for.
pub const ONCE: &str = "the effects of an event happen once";
/// What lanes and parked keys are for.
pub const IN_ORDER: &str = "the effects of a key happen in the order of its offsets";
/// Whatever is committed is never seen again.
pub const COMMITTED: &str = "what is below a committed offset is handled or parked";
/// Commits are for whoever has the partition.
pub const FORWARD: &str = "a committed offset never goes back";
/// A row of a key that is not parked is never drained, and a parked key without rows never ends.
pub const PARKED: &str = "a key is parked exactly as long as events of it wait";
/// Nobody looks at a key that is not due.
pub const DUE: &str = "a parked key is due when its head is";
/// The inbox decides, so it has to know.
pub const INBOX: &str = "the inbox tells what is handled and what is parked";
/// PostgreSQL ends a deadlock after a second, with an error.
pub const RING: &str = "nobody waits in a ring";
/// Second runs are the price of mishaps, not of every day.
pub const RUNS: &str = "without mishaps each handler runs once";

/// What has to hold in each state; that everything gets done needs all of them ([`LOST`]).
///
/// [`LOST`]: crate::models::explorer::LOST
pub const PROMISES: [(&str, Kept); 9] = [
    (ONCE, once),
    (IN_ORDER, in_order),
    (COMMITTED, committed),
    (FORWARD, |_, world| !world.went_back),
    (PARKED, parked),
    (DUE, due),
    (INBOX, inbox),
    (RING, no_ring),
    (RUNS, |_, world| !world.ran_twice),
];

/// How to see that a promise is kept.
pub type Kept = fn(&Case, &World) -> bool;

fn once(_: &Case, world: &World) -> bool {
    let is_first =
        |events: &[usize]| (1..events.len()).all(|at| !events[..at].contains(&events[at]));
    world.effects.iter().all(|events| is_first(events))
}

/// By key and partition, and without gaps, which is more than order. What lies in two partitions
/// has no order, so copies are looked at where they lie first.
fn in_order(case: &Case, world: &World) -> bool {
    let is_first = |at: &usize| {
        let earlier = &case.records[..*at];
        earlier.iter().all(|record| record.event != case.records[*at].event)
    };
    let is_kept = |key: usize, partition: usize| {
        let records = case.partition(partition).filter(is_first);
        let events = records.filter(|&at| case.records[at].key == key);
        let events: Vec<usize> = events.map(|at| case.records[at].event).collect();
        let done = world.effects[key].iter().copied().filter(|event| events.contains(event));
        events.starts_with(&done.collect::<Vec<_>>())
    };
    (0..KEYS).all(|key| (0..PARTITIONS).all(|partition| is_kept(key, partition)))
}

fn committed(case: &Case, world: &World) -> bool {
    (0..PARTITIONS).all(|partition| {
        let mut passed = case.partition(partition).take(world.partitions[partition].committed);
        passed.all(|record| world.tables.inbox[case.records[record].event].is_some())
    })
}

fn parked(case: &Case, world: &World) -> bool {
    let waits = |key| world.tables.head(case, key).is_some();
    (0..KEYS).all(|key| world.tables.keys[key].is_some() == waits(key))
}

fn due(case: &Case, world: &World) -> bool {
    let is_parked = |key: &usize| world.tables.keys[*key].is_some();
    let mut keys = (0..KEYS).filter(is_parked);
    keys.all(|key| world.tables.keys[key] == world.tables.head_due(case, key))
}

fn inbox(case: &Case, world: &World) -> bool {
    case.records.iter().all(|record| {
        let is_done = world.effects[record.key].contains(&record.event);
        let mut rows = (0..case.records.len()).filter(|&at| world.tables.parked[at].is_some());
        let is_parked = rows.any(|at| case.records[at].event == record.event);
        world.tables.inbox[record.event]
            == match (is_done, is_parked) {
                (false, false) => None,
                (true, false) => Some(Outcome::Done),
                (false, true) => Some(Outcome::Parked),
                // Nothing can be told rightly of what is both.
                (true, true) => return false,
            }
    })
}

fn no_ring(case: &Case, world: &World) -> bool {
    let next: Vec<_> = (0..world.workers.len()).map(|it| world.waits_for(case, it)).collect();
    let mut ways = (0..next.len()).map(|first| {
        let way = std::iter::successors(next[first], |&at| next[at]);
        way.take(next.len()).any(|at| at == first)
    });
    !ways.any(|is_ring| is_ring)
}
