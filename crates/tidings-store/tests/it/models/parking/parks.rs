//! Parking an event, in a transaction of its own: the lock of its key, its inbox row, then its own
//! row and the key's due, which are one step, since nobody gets at either without the lock.
//!
//! Lock or insert is one statement, `INSERT ... ON CONFLICT DO UPDATE`: as two there is a moment
//! between them, and then nobody has the lock (`Bug::InsertThenLock`).

use crate::models::parking::case::{Bug, Case};
use crate::models::parking::database::{Change, Lock, Outcome, Waiting};
use crate::models::parking::lanes;
use crate::models::parking::world::{Due, Step, Why, Work, World};

/// Begins with an event that has failed.
pub fn begin(case: &Case, world: &mut World, worker: usize, due: Due) {
    if case.has(Bug::GoOnBeforeParked) {
        lanes::mark_finished(case, world, worker, world.workers[worker].record());
    }
    lanes::again(world, worker, Step::ParkKey(Why::Failed(due)));
}

/// Does what comes next.
pub fn step(case: &Case, world: &mut World, worker: usize) {
    let record = world.workers[worker].record();
    match world.work(worker).step {
        Step::ParkKey(why) => key(case, world, worker, why),
        Step::ParkKeyAgain(why) => {
            let key = case.records[record].key;
            if world.seen_by(worker).keys[key].is_some() {
                world.lock(worker, Lock::Key(key));
            }
            world.work(worker).step = Step::ParkInbox(why);
        }
        Step::ParkInbox(why) => inbox(case, world, worker, why),
        step => unreachable!("{step:?} parks nothing"),
    }
}

/// What has failed parks its key, and what waits for others needs it to be parked.
fn key(case: &Case, world: &mut World, worker: usize, why: Why) {
    let key = case.records[world.workers[worker].record()].key;
    let is_parked = world.tables.keys[key].is_some();
    let inserts = why != Why::Behind || case.has(Bug::ParkReleasedKey);
    if is_inbox_next(case, world.work(worker), why) {
        return inbox(case, world, worker, why);
    }
    match (is_parked, inserts) {
        (true, true) if case.has(Bug::InsertThenLock) => {
            world.work(worker).step = Step::ParkKeyAgain(why);
            return;
        }
        (true, _) => world.lock(worker, Lock::Key(key)),
        (false, true) => world.change(worker, Change::Key(key, Some(Due::Again))),
        (false, false) if case.has(Bug::ParkBehindNothing) => {}
        // It was released meanwhile: the event's own turn has come.
        (false, false) => return lanes::again(world, worker, Step::LookIntoInbox),
    }
    match is_inbox_first(case, why) {
        true => row(case, world, worker, why),
        false => world.work(worker).step = Step::ParkInbox(why),
    }
}

fn inbox(case: &Case, world: &mut World, worker: usize, why: Why) {
    let event = case.records[world.workers[worker].record()].event;
    if world.tables.inbox[event].is_some() && !case.has(Bug::UnheededInboxInParking) {
        // It was handled, or parked, elsewhere.
        return lanes::finish(case, world, worker);
    }
    world.change(worker, Change::Inbox(event, Outcome::Parked));
    match is_inbox_first(case, why) {
        true => world.work(worker).step = Step::ParkKey(why),
        false => row(case, world, worker, why),
    }
}

/// Only the head of a key has a due of its own; what waits for it is due as soon as it is the head.
fn row(case: &Case, world: &mut World, worker: usize, why: Why) {
    let record = world.workers[worker].record();
    let key = case.records[record].key;
    let turn = world.seen_by(worker).next_turn(case, key);
    let again = Waiting { due: Due::Again, turn };
    world.change(worker, Change::Parked(record, Some(again)));
    let own = match why {
        Why::Failed(due) if world.seen_by(worker).head(case, key) == Some(record) => due,
        Why::Failed(_) | Why::Behind => Due::Again,
    };
    world.change(worker, Change::Parked(record, Some(Waiting { due: own, turn })));
    let due = match case.has(Bug::DueOfLast) {
        true => Some(own),
        false => world.seen_by(worker).head_due(case, key),
    };
    if world.seen_by(worker).keys[key].is_some() {
        world.change(worker, Change::Key(key, due));
    }
    world.work(worker).step = Step::Commit;
}

/// Whether the inbox row is written before the key's turn comes.
pub fn is_inbox_next(case: &Case, work: &Work, why: Why) -> bool {
    is_inbox_first(case, why) && work.transaction.writes.is_empty()
}

fn is_inbox_first(case: &Case, why: Why) -> bool {
    case.has(Bug::InboxBeforeKeyInParking)
        || why == Why::Behind && case.has(Bug::InboxBeforeKeyBehind)
}
