//! All of it together: what can happen, and what comes of it.

use crate::models::explorer::Model;
use crate::models::parking::case::{Case, Record};
use crate::models::parking::database::Lock;
use crate::models::parking::promises::PROMISES;
use crate::models::parking::world::{Due, KEYS, PARTITIONS, Seat, Step, World};
use crate::models::parking::{drains, group, lanes, parks};

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A lane takes its next record.
    Take(Seat),
    /// A drain reads the head of this key.
    Read(Seat, usize),
    /// A worker's next statement.
    Do(Seat, Step),
    /// A handler fails.
    Fail(Seat, Due),
    /// The database breaks a transaction off: a deadlock, a connection that is gone.
    BreakOff(Seat),
    /// A transaction commits, and the answer is lost.
    LoseAnswer(Seat),
    /// A person has the head of this key tried again: one transaction, which takes the key first.
    Redrive(usize),
    /// Something in the group.
    Group(group::Act),
}

impl Model for Case {
    type State = World;
    type Action = Action;

    fn first(&self) -> World {
        World::new(self)
    }

    fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions = Vec::new();
        for (number, worker) in world.workers.iter().enumerate() {
            let seat = worker.seat;
            if let Some(work) = &worker.work {
                if world.waits_for(self, number).is_none() {
                    actions.push(Action::Do(seat, work.step));
                }
                if work.step == Step::Run && world.left.failures > 0 {
                    actions.extend([Due::Again, Due::OnRequest].map(|due| Action::Fail(seat, due)));
                }
                if world.left.breaks > 0 && !work.transaction.locks.is_empty() {
                    actions.push(Action::BreakOff(seat));
                    let loses = work.step == Step::Commit;
                    actions.extend(loses.then_some(Action::LoseAnswer(seat)));
                }
            } else if seat.drains() {
                let due = (0..KEYS).filter(|&key| drains::is_due(world, key));
                actions.extend(due.map(|key| Action::Read(seat, key)));
            } else if lanes::next(self, world, seat).is_some() {
                actions.push(Action::Take(seat));
            }
        }
        let waits = |key: &usize| world.tables.keys[*key] == Some(Due::OnRequest);
        let is_free = |key: &usize| !world.is_locked(Lock::Key(*key));
        let keys = (0..KEYS).filter(waits).filter(is_free).filter(|_| self.has_person);
        actions.extend(keys.map(Action::Redrive));
        actions.extend(group::acts(self, world).into_iter().map(Action::Group));
        actions
    }

    fn step(&self, world: &World, action: Action) -> World {
        let mut world = world.clone();
        match action {
            Action::Take(seat) => {
                let worker = world.at(seat);
                lanes::take(self, &mut world, worker);
            }
            Action::Read(seat, key) => {
                let worker = world.at(seat);
                drains::read(self, &mut world, worker, key);
            }
            Action::Do(seat, step) => {
                let worker = world.at(seat);
                work(self, &mut world, worker, step);
            }
            Action::Fail(seat, due) => {
                let worker = world.at(seat);
                world.left.failures -= 1;
                world.mishap();
                match seat.drains() {
                    true => world.work(worker).step = Step::FailKey(due),
                    false => parks::begin(self, &mut world, worker, due),
                }
            }
            Action::BreakOff(seat) | Action::LoseAnswer(seat) => {
                let worker = world.at(seat);
                if action == Action::LoseAnswer(seat) {
                    world.commit(self, worker);
                }
                world.left.breaks -= 1;
                world.mishap();
                match seat.drains() {
                    true => world.workers[worker].work = None,
                    false => lanes::again(&mut world, worker, Step::LookIntoInbox),
                }
            }
            Action::Redrive(key) => {
                let tables = &mut world.tables;
                let head = tables.head(self, key).and_then(|head| tables.parked[head].as_mut());
                if let Some(row) = head {
                    row.due = Due::Again;
                    tables.keys[key] = Some(Due::Again);
                }
            }
            Action::Group(act) => group::step(self, &mut world, act),
        }
        world
    }

    fn broken(&self, world: &World) -> Option<&'static str> {
        let asked = |promise: &str| self.promise.is_none_or(|asked| asked == promise);
        let mut broken = PROMISES.iter().filter(|(_, is_kept)| !is_kept(self, world));
        broken.find(|(promise, _)| asked(promise)).map(|(promise, _)| *promise)
    }

    fn is_done(&self, world: &World) -> bool {
        let waits = |key: usize| !self.has_person && world.tables.keys[key] == Some(Due::OnRequest);
        let is_done = |record: &Record| world.effects[record.key].contains(&record.event);
        self.records.iter().all(|record| is_done(record) || waits(record.key))
            && world.workers.iter().all(|worker| worker.work.is_none())
            && (0..KEYS).all(|key| world.tables.keys[key].is_none() || waits(key))
            && (0..PARTITIONS)
                .all(|it| world.partitions[it].committed == self.partition(it).count())
    }

    fn is_mishap(&self, _: &World, action: Action) -> bool {
        use group::Act::{Crash, Move};
        match action {
            Action::Fail(..) | Action::BreakOff(_) | Action::LoseAnswer(_) => true,
            Action::Group(act) => matches!(act, Move { .. } | Crash { .. }),
            Action::Take(_) | Action::Read(..) | Action::Do(..) | Action::Redrive(_) => false,
        }
    }
}

/// A worker's next step: what handlers do is the same for lanes and drains.
fn work(case: &Case, world: &mut World, worker: usize, step: Step) {
    let record = world.workers[worker].record();
    let (key, event) = (case.records[record].key, case.records[record].event);
    match step {
        Step::Run if world.left == case.mishaps => {
            world.ran_twice |= world.has_run & 1 << event != 0 && !case.lies_apart(event);
            world.has_run |= 1 << event;
        }
        Step::Write | Step::Join => {
            world.lock(worker, Lock::Row(case.target(key)));
            return lanes::go_on(case, world, worker);
        }
        Step::Publish => {
            world.lock(worker, Lock::Outbox(case.target(key)));
            return lanes::go_on(case, world, worker);
        }
        Step::ParkKey(_) | Step::ParkKeyAgain(_) | Step::ParkInbox(_) => {
            return parks::step(case, world, worker);
        }
        _ => {}
    }
    match world.workers[worker].seat.drains() {
        true => drains::step(case, world, worker),
        false => lanes::step(case, world, worker),
    }
}
