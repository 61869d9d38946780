//! The state: tables, transactions, instances and the group at a moment. Everything is as small as
//! it can be, since each value of it multiplies what has to be looked at.

use crate::models::parking::case::{Case, Mishaps};
use crate::models::parking::database::{Tables, Transaction};

/// Records that a case may have.
pub const RECORDS: usize = 4;
/// Keys that a case may have.
pub const KEYS: usize = 2;
/// Partitions that a case may have.
pub const PARTITIONS: usize = 2;
/// Instances of the service.
pub const INSTANCES: usize = 2;

/// Everything at a moment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// What is committed.
    pub tables: Tables,
    /// The events whose effects are committed, by key and in that order.
    pub effects: [Vec<usize>; KEYS],
    /// Everybody who works.
    pub workers: Vec<Worker>,
    /// What the group knows of each partition.
    pub partitions: [Partition; PARTITIONS],
    /// What each instance knows.
    pub instances: [Instance; INSTANCES],
    /// What may still go wrong.
    pub left: Mishaps,
    /// Events whose handler has run, as bits, as long as nothing has gone wrong.
    pub has_run: u8,
    /// A handler ran a second time though nothing had gone wrong.
    pub ran_twice: bool,
    /// A committed offset was replaced by a lower one.
    pub went_back: bool,
}

/// A lane or a drain of an instance.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Worker {
    /// Who it is.
    pub seat: Seat,
    /// What it is at.
    pub work: Option<Work>,
}

/// Which worker of which instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seat {
    /// Takes the events of a key in a partition, one after the other.
    Lane {
        /// Its instance.
        instance: usize,
        /// Where the events come from.
        partition: usize,
        /// Whose they are.
        key: usize,
    },
    /// Takes heads of parked keys.
    Drain {
        /// Its instance.
        instance: usize,
    },
}

/// One attempt at one event.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Work {
    /// The record.
    pub record: usize,
    /// What comes next.
    pub step: Step,
    /// What it has changed and locked so far.
    pub transaction: Transaction,
    /// Whether no other row of its key was there, as counted without the key's lock: only with
    /// `Bug::CountBeforeLock` and `Bug::DrainWithoutLock`.
    pub was_alone: bool,
}

/// What a worker does next: one statement to the database, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Is there an inbox row?
    LookIntoInbox,
    /// Is the key parked?
    LookAtKey,
    /// A neighbour's handler writes its row in the transaction that the event is about to join.
    Join,
    /// The handler runs and asks for its transaction, which opens with the key's lock.
    Run,
    /// A drain deletes the head's row.
    DeleteHead,
    /// The handler writes a row that others may write.
    Write,
    /// The handler publishes.
    Publish,
    /// The inbox row: inserted by a lane, updated by a drain.
    MarkDone,
    /// A drain deletes `parked_key`, or sets it to the new head's due.
    Release,
    /// What was done becomes true.
    Commit,
    /// Parking begins with the key.
    ParkKey(Why),
    /// The second half of that, with `Bug::InsertThenLock`.
    ParkKeyAgain(Why),
    /// Parking goes on with the inbox row.
    ParkInbox(Why),
    /// A drain that has failed takes the key.
    FailKey(Due),
    /// Then it writes down what has become of the head.
    FailHead(Due),
}

/// Why an event is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It waits for those before it.
    Behind,
    /// It has failed.
    Failed(Due),
}

/// When the head of a key is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// Some time, that is at any time.
    Again,
    /// When a person says so.
    OnRequest,
}

/// What the group knows of a partition.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Partition {
    /// Whose it is.
    pub owner: usize,
    /// How many of its records are committed.
    pub committed: usize,
}

/// An instance, as far as it knows the world.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Instance {
    /// The partitions that it believes to have, each with the records that are finished, as bits.
    pub finished: [Option<u8>; PARTITIONS],
    /// Keys that it has once seen not to be parked, as bits: `Bug::RememberedKey`.
    pub remembered: u8,
}

impl World {
    /// How it begins: nothing handled, the partitions shared among the instances.
    pub fn new(case: &Case) -> World {
        let mut world = World {
            tables: Tables::default(),
            effects: Default::default(),
            workers: Vec::new(),
            partitions: Default::default(),
            instances: Default::default(),
            left: case.mishaps,
            has_run: 0,
            ran_twice: false,
            went_back: false,
        };
        let mut seats = Vec::new();
        for instance in 0..INSTANCES {
            for record in case.records {
                let seat = Seat::Lane { instance, partition: record.partition, key: record.key };
                if !seats.contains(&seat) {
                    seats.push(seat);
                }
            }
        }
        seats.extend((0..case.drainers).map(|instance| Seat::Drain { instance }));
        world.workers = seats.into_iter().map(|seat| Worker { seat, work: None }).collect();
        for partition in 0..PARTITIONS {
            world.partitions[partition].owner = partition % INSTANCES;
            world.assign(case, partition);
        }
        world
    }

    /// The number of a worker.
    pub fn at(&self, seat: Seat) -> usize {
        let found = self.workers.iter().position(|worker| worker.seat == seat);
        found.expect("everybody has a seat")
    }

    /// What a worker is at.
    pub fn work(&mut self, worker: usize) -> &mut Work {
        self.workers[worker].work.as_mut().expect("it is at work")
    }

    /// The owner of a partition begins at the committed offset.
    pub fn assign(&mut self, case: &Case, partition: usize) {
        let Partition { owner, committed } = self.partitions[partition];
        let finished = case.partition(partition).take(committed);
        self.drop_lanes(owner, partition);
        self.instances[owner].finished[partition] =
            Some(finished.fold(0, |bits, record| bits | 1 << record));
    }

    /// An instance leaves what it has in hand of a partition: transactions are rolled back.
    pub fn drop_lanes(&mut self, of: usize, from: usize) {
        for worker in &mut self.workers {
            if let Seat::Lane { instance, partition, .. } = worker.seat
                && (instance, partition) == (of, from)
            {
                worker.work = None;
            }
        }
    }

    /// Something has gone wrong: from now on a handler may run again.
    pub fn mishap(&mut self) {
        self.has_run = 0;
    }
}

impl Worker {
    /// The record that it has in hand.
    pub fn record(&self) -> usize {
        self.work.as_ref().expect("it is at work").record
    }
}

impl Seat {
    /// Whose worker it is.
    pub fn instance(self) -> usize {
        match self {
            Seat::Lane { instance, .. } | Seat::Drain { instance } => instance,
        }
    }

    /// Whether it is a drain.
    pub fn drains(self) -> bool {
        matches!(self, Seat::Drain { .. })
    }
}
