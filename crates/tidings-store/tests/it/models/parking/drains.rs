//! Drains: any instance takes the head of a parked key, whoever has its partition, and whoever else
//! is at it. Leases only save work; here nobody heeds them.

use crate::models::parking::case::{Bug, Case};
use crate::models::parking::database::{Change, Lock, Outcome, Transaction, Waiting};
use crate::models::parking::lanes::go_on;
use crate::models::parking::world::{Due, Step, Work, World};

/// Whether this key can be taken up.
pub fn is_due(world: &World, key: usize) -> bool {
    world.tables.keys[key] == Some(Due::Again)
}

/// Reads its head, outside of any transaction.
pub fn read(case: &Case, world: &mut World, worker: usize, key: usize) {
    let Some(record) = world.tables.head(case, key) else { return };
    let mut alone = world.tables;
    alone.parked[record] = None;
    world.workers[worker].work = Some(Work {
        record,
        step: Step::Run,
        transaction: Transaction::default(),
        was_alone: case.has(Bug::CountBeforeLock) && alone.head(case, key).is_none(),
    });
}

/// Does what comes next. A key or a head that is gone was drained by somebody else.
pub fn step(case: &Case, world: &mut World, worker: usize) {
    let Work { record, step, .. } = *world.work(worker);
    let (key, event) = (case.records[record].key, case.records[record].event);
    let seen = world.seen_by(worker);
    match step {
        Step::Run if case.has(Bug::DrainWithoutLock) => go_on(case, world, worker),
        Step::Run | Step::FailKey(_) if seen.keys[key].is_none() => {
            world.workers[worker].work = None;
        }
        Step::Run => {
            world.lock(worker, Lock::Key(key));
            go_on(case, world, worker);
        }
        Step::FailKey(due) => {
            world.lock(worker, Lock::Key(key));
            world.work(worker).step = Step::FailHead(due);
        }
        Step::DeleteHead => {
            if seen.parked[record].is_some() {
                world.change(worker, Change::Parked(record, None));
            } else if !case.has(Bug::UnheededDelete) {
                world.workers[worker].work = None;
                return;
            }
            world.change(worker, Change::Effect(record));
            go_on(case, world, worker);
        }
        Step::MarkDone => {
            if case.has(Bug::DrainWithoutLock) {
                world.work(worker).was_alone = seen.head(case, key).is_none();
            }
            world.change(worker, Change::Inbox(event, Outcome::Done));
            go_on(case, world, worker);
        }
        Step::Release => {
            release(case, world, worker, key);
            go_on(case, world, worker);
        }
        Step::FailHead(due) => fail(case, world, worker, due),
        Step::Commit => {
            world.commit(case, worker);
            world.workers[worker].work = None;
        }
        _ => unreachable!("{step:?} is no step of a drain"),
    }
}

/// Whoever drains the last row releases the key.
fn release(case: &Case, world: &mut World, worker: usize, key: usize) {
    let seen = world.seen_by(worker);
    let due = match world.work(worker).was_alone {
        true => None,
        false => seen.head_due(case, key),
    };
    if seen.keys[key].is_some() {
        world.change(worker, Change::Key(key, due));
    }
}

/// The head has failed again: this is when it is tried the next time.
fn fail(case: &Case, world: &mut World, worker: usize, due: Due) {
    let record = world.workers[worker].record();
    let key = case.records[record].key;
    if let Some(row) = world.seen_by(worker).parked[record] {
        world.change(worker, Change::Parked(record, Some(Waiting { due, ..row })));
        let due = world.seen_by(worker).head_due(case, key);
        world.change(worker, Change::Key(key, due));
    } else if case.has(Bug::UnheededFailure) {
        world.change(worker, Change::Key(key, Some(due)));
    } else {
        world.workers[worker].work = None;
        return;
    }
    world.work(worker).step = Step::Commit;
}
