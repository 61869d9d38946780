//! Lanes: an instance takes the events of a key one after the other, from a partition that it
//! believes to have. Whatever it does not know it asks the database.

use crate::models::parking::case::{Bug, Case, Opening};
use crate::models::parking::database::{Change, Outcome, Transaction};
use crate::models::parking::world::{Seat, Step, Why, Work, World};

/// The next record of a lane that has nothing in hand.
pub fn next(case: &Case, world: &World, seat: Seat) -> Option<usize> {
    let Seat::Lane { instance, partition, key } = seat else { return None };
    let finished = world.instances[instance].finished[partition]?;
    let open = case.partition(partition).filter(|&record| case.records[record].key == key);
    let mut open = open.filter(|record| finished & 1 << record == 0);
    if case.has(Bug::Overtake) { open.last() } else { open.next() }
}

/// Takes it in hand.
pub fn take(case: &Case, world: &mut World, worker: usize) {
    let record = next(case, world, world.workers[worker].seat).expect("a record is left");
    world.workers[worker].work = Some(Work {
        record,
        step: Step::LookIntoInbox,
        transaction: Transaction::default(),
        was_alone: false,
    });
}

/// Does what comes next; parking is elsewhere.
pub fn step(case: &Case, world: &mut World, worker: usize) {
    let Work { record, step, .. } = *world.work(worker);
    let (key, event) = (case.records[record].key, case.records[record].event);
    match step {
        Step::LookIntoInbox => match world.tables.inbox[event] {
            Some(Outcome::Parked) if case.has(Bug::WaitForParked) => {}
            Some(_) if !case.has(Bug::NoLookIntoInbox) => finish(case, world, worker),
            _ => world.work(worker).step = Step::LookAtKey,
        },
        Step::LookAtKey => {
            let is_parked = world.tables.keys[key].is_some();
            world.work(worker).step = match !remembers(case, world, worker, key) && is_parked {
                true => Step::ParkKey(Why::Behind),
                false => case.steps_of_lane()[0],
            };
        }
        Step::Run => open(case, world, worker, record),
        Step::MarkDone => {
            let is_there = world.tables.inbox[event].is_some();
            if is_there && !case.has(Bug::UnheededInbox) {
                // It was handled, or parked, elsewhere.
                return finish(case, world, worker);
            }
            world.change(worker, Change::Inbox(event, Outcome::Done));
            go_on(case, world, worker);
        }
        Step::Commit => {
            world.commit(case, worker);
            match case.has(Bug::WaitForParked) {
                true => again(world, worker, Step::LookIntoInbox),
                false => finish(case, world, worker),
            }
        }
        _ => unreachable!("{step:?} is no step of a lane's own"),
    }
}

/// The handler runs and asks for its transaction. What is found is left at once, so that a lock on
/// it does nothing but wait for whoever has it.
fn open(case: &Case, world: &mut World, worker: usize, record: usize) {
    let is_parked = world.tables.keys[case.records[record].key].is_some();
    if is_parked && case.opening != Opening::Trusts {
        return again(world, worker, Step::ParkKey(Why::Behind));
    }
    world.change(worker, Change::Effect(record));
    go_on(case, world, worker);
}

/// Goes from a step of a handler's transaction to the next one.
pub fn go_on(case: &Case, world: &mut World, worker: usize) {
    let steps = match world.workers[worker].seat.drains() {
        true => case.steps_of_drain(),
        false => case.steps_of_lane(),
    };
    let work = world.work(worker);
    let at = steps.iter().position(|&step| step == work.step).expect("a step of these");
    let is_taken = |step: &&Step| match step {
        Step::Write | Step::Publish => case.handler.contains(step),
        _ => true,
    };
    let next = steps[at + 1..].iter().find(is_taken);
    work.step = *next.expect("the last one is a commit");
}

/// Rolls back, and goes on from this step.
pub fn again(world: &mut World, worker: usize, step: Step) {
    let work = world.work(worker);
    work.transaction = Transaction::default();
    work.step = step;
}

/// The event is handled, or parked, or was so elsewhere: its offset is finished.
pub fn finish(case: &Case, world: &mut World, worker: usize) {
    let work = world.workers[worker].work.take().expect("it is at work");
    mark_finished(case, world, worker, work.record);
}

/// What the instance remembers of its record. An instance that has lost the partition has dropped
/// its lanes, so there is no result for an assignment that is over.
pub fn mark_finished(case: &Case, world: &mut World, worker: usize, record: usize) {
    let instance = world.workers[worker].seat.instance();
    let finished = &mut world.instances[instance].finished[case.records[record].partition];
    *finished.as_mut().expect("a lane has a partition") |= 1 << record;
}

/// Whether its instance believes to know that the key is not parked; if not, it looks.
fn remembers(case: &Case, world: &mut World, worker: usize, key: usize) -> bool {
    if !case.has(Bug::RememberedKey) {
        return false;
    }
    let is_parked = world.tables.keys[key].is_some();
    let instance = &mut world.instances[world.workers[worker].seat.instance()];
    if !is_parked {
        instance.remembered |= 1 << key;
    }
    instance.remembered & 1 << key != 0
}
