//! What PostgreSQL makes of the statements, at READ COMMITTED: each of them sees what is committed
//! and what its own transaction has written; a row that somebody else has written or locked is
//! waited for, if it can be seen at all; an insert, also one that does nothing on conflict, waits
//! for whoever inserts, updates or deletes the same row. SQLite, with one writer at a time, does
//! nothing that this does not.
//!
//! A statement that waits is one that cannot happen yet. When it does it sees what is then true,
//! which is what PostgreSQL's second look after a wait comes to as long as the statement reads
//! nothing but the row it has waited for. What counts rows has to be a statement of its own.

use crate::models::parking::case::{Bug, Case, Head, Opening};
use crate::models::parking::parks;
use crate::models::parking::world::{Due, KEYS, RECORDS, Step, Why, World};

/// The tables of one consumer.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tables {
    /// By event.
    pub inbox: [Option<Outcome>; RECORDS],
    /// `parked_key`, by key: when its head is due.
    pub keys: [Option<Due>; KEYS],
    /// `parked`, by record.
    pub parked: [Option<Waiting>; RECORDS],
}

/// A parked event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// When it is tried again, as soon as it is the head.
    pub due: Due,
    /// When it was parked: higher than all others of its key at that moment.
    pub turn: usize,
}

/// What the inbox says about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Its effects are committed.
    Done,
    /// It waits in `parked`.
    Parked,
}

/// What one transaction has done so far.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Transaction {
    /// What it has locked, whether or not it has changed it.
    pub locks: Vec<Lock>,
    /// What it has changed, in this order.
    pub writes: Vec<Change>,
}

/// What only one transaction can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lock {
    /// A row of `parked_key`.
    Key(usize),
    /// A row of `parked`.
    Parked(usize),
    /// A row of the handlers' own.
    Row(usize),
    /// A key of the outbox.
    Outbox(usize),
    /// A row of the inbox.
    Inbox(usize),
}

/// A change of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// `parked_key`.
    Key(usize, Option<Due>),
    /// `parked`.
    Parked(usize, Option<Waiting>),
    /// The inbox.
    Inbox(usize, Outcome),
    /// What the handler of this record does.
    Effect(usize),
}

impl Tables {
    /// The head of a key.
    pub fn head(&self, case: &Case, key: usize) -> Option<usize> {
        let by_turn = |record: usize| self.parked[record].map(|row| row.turn);
        let rows = self.waiting(case, key);
        match case.head {
            Head::LowestOffset => rows.min_by_key(|&row| (case.records[row].partition, row)),
            Head::FirstParked => rows.min_by_key(|&row| by_turn(row)),
        }
    }

    /// When the head of a key is due; nothing without one.
    pub fn head_due(&self, case: &Case, key: usize) -> Option<Due> {
        self.head(case, key).and_then(|head| self.parked[head]).map(|row| row.due)
    }

    /// The turn of whoever is parked next; nobody asks for it where offsets decide.
    pub fn next_turn(&self, case: &Case, key: usize) -> usize {
        let turns = self.waiting(case, key).filter_map(|record| self.parked[record]);
        match case.head {
            Head::LowestOffset => 0,
            Head::FirstParked => turns.map(|row| row.turn + 1).max().unwrap_or_default(),
        }
    }

    fn waiting(&self, case: &Case, key: usize) -> impl Iterator<Item = usize> {
        let of_key = move |&record: &usize| case.records[record].key == key;
        let rows = (0..case.records.len()).filter(of_key);
        rows.filter(|&record| self.parked[record].is_some())
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Key(key, row) => self.keys[key] = row,
            Change::Parked(record, row) => self.parked[record] = row,
            Change::Inbox(event, outcome) => self.inbox[event] = Some(outcome),
            Change::Effect(_) => {}
        }
    }
}

impl World {
    /// What a worker's next statement sees.
    pub fn seen_by(&self, worker: usize) -> Tables {
        let mut tables = self.tables;
        if let Some(work) = &self.workers[worker].work {
            work.transaction.writes.iter().for_each(|change| tables.change(*change));
        }
        tables
    }

    /// Takes a lock that is free, or its own already.
    pub fn lock(&mut self, worker: usize, lock: Lock) {
        let locks = &mut self.work(worker).transaction.locks;
        if !locks.contains(&lock) {
            locks.push(lock);
        }
    }

    /// Changes a row, which locks it.
    pub fn change(&mut self, worker: usize, change: Change) {
        match change {
            Change::Key(key, _) => self.lock(worker, Lock::Key(key)),
            Change::Parked(record, _) => self.lock(worker, Lock::Parked(record)),
            Change::Inbox(event, _) => self.lock(worker, Lock::Inbox(event)),
            Change::Effect(_) => {}
        }
        self.work(worker).transaction.writes.push(change);
    }

    /// Makes true what a transaction has done, and frees its locks.
    pub fn commit(&mut self, case: &Case, worker: usize) {
        let transaction = std::mem::take(&mut self.work(worker).transaction);
        for change in transaction.writes {
            self.tables.change(change);
            if let Change::Effect(record) = change {
                let record = case.records[record];
                self.effects[record.key].push(record.event);
            }
        }
    }

    /// The one whose transaction has to end before this worker's next statement can.
    pub fn waits_for(&self, case: &Case, worker: usize) -> Option<usize> {
        let lock = self.asks_for(case, worker)?;
        (0..self.workers.len()).find(|&other| other != worker && self.has_locked(other, lock))
    }

    /// Whether anybody has this lock.
    pub fn is_locked(&self, lock: Lock) -> bool {
        (0..self.workers.len()).any(|worker| self.has_locked(worker, lock))
    }

    fn has_locked(&self, worker: usize, lock: Lock) -> bool {
        let work = self.workers[worker].work.as_ref();
        work.is_some_and(|work| work.transaction.locks.contains(&lock))
    }

    /// The lock that a worker's next statement needs. What can go without saying is not asked for:
    /// nobody can see what is inserted under the lock of its key.
    fn asks_for(&self, case: &Case, worker: usize) -> Option<Lock> {
        let work = self.workers[worker].work.as_ref()?;
        let record = case.records[work.record];
        let drains = self.workers[worker].seat.drains();
        let seen = self.seen_by(worker);
        let key_if_seen = seen.keys[record.key].map(|_| Lock::Key(record.key));
        match work.step {
            Step::LookIntoInbox | Step::LookAtKey | Step::Commit => None,
            Step::Run if drains && case.has(Bug::DrainWithoutLock) => None,
            Step::Run if !drains && case.opening != Opening::Locks => None,
            Step::Run | Step::ParkKeyAgain(_) | Step::FailKey(_) | Step::Release => key_if_seen,
            Step::ParkKey(why) if parks::is_inbox_next(case, work, why) => {
                Some(Lock::Inbox(record.event))
            }
            Step::ParkKey(Why::Behind) if !case.has(Bug::ParkReleasedKey) => key_if_seen,
            Step::ParkKey(_) if case.has(Bug::InsertThenLock) && key_if_seen.is_some() => None,
            Step::ParkKey(_) => Some(Lock::Key(record.key)),
            Step::DeleteHead | Step::FailHead(_) => {
                seen.parked[work.record].map(|_| Lock::Parked(work.record))
            }
            Step::Write | Step::Join => Some(Lock::Row(case.target(record.key))),
            Step::Publish => Some(Lock::Outbox(case.target(record.key))),
            Step::MarkDone | Step::ParkInbox(_) => Some(Lock::Inbox(record.event)),
        }
    }
}
