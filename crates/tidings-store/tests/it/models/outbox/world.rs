//! The state: tables, topic, writers and relays at a moment. Everything is as small as it can be,
//! since each value of it multiplies what has to be looked at.

use crate::models::outbox::case::{Case, Mishaps};

/// A place in the outbox, and the name of its row: the sequence gives each number once.
pub type Position = u8;

/// Everything at a moment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The transactions.
    pub writers: Vec<Writer>,
    /// The key of each position that was taken; its length is the sequence.
    pub keys: Vec<u8>,
    /// The outbox, by position, with the rows that nobody sees yet.
    pub rows: Vec<Row>,
    /// What was committed, per key, in the order of the commits.
    pub commits: Vec<Vec<Position>>,
    /// What can be read from the topic, per key: the first copies. Later ones change nothing.
    pub topic: Vec<Vec<Position>>,
    /// Rows that hold their key.
    pub held: Vec<Position>,
    /// Who may publish what.
    pub slots: Vec<Slot>,
    /// The relays.
    pub relays: Vec<Relay>,
    /// Requests of clients that are gone, a queue per client and key: written some time, or never.
    pub ghosts: Vec<Vec<Position>>,
    /// What may still go wrong.
    pub left: Mishaps,
    /// Claims that [`Bug::ClaimEarly`](super::case::Bug::ClaimEarly) may still make.
    pub early: u8,
    /// Something was written a second time though nothing had gone wrong.
    pub repeated: bool,
    /// A relay has changed what was no longer its own.
    pub trespassed: bool,
}

/// A transaction.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Writer {
    /// Steps done: two for each row.
    pub steps: usize,
    /// Committed or rolled back.
    pub ended: bool,
}

/// A row of the outbox.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Row {
    /// Its place.
    pub position: Position,
    /// Whose it is until it is committed; then anybody can see it.
    pub writer: Option<usize>,
}

/// A part of the outbox.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Raised by each claim.
    pub epoch: u8,
    /// Who has claimed it.
    pub holder: Holder,
    /// Whether the lease has ended.
    pub is_over: bool,
}

/// Whoever has claimed a slot.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Nobody: it was given back.
    #[default]
    Nobody,
    /// This relay.
    Relay(usize),
    /// A relay that has died: its name comes never again.
    Dead,
}

/// A relay, as far as it knows the world.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Relay {
    /// Slots that it believes to hold, with the epochs of its claims.
    pub leases: Vec<(usize, u8)>,
    /// Where it is in its work.
    pub work: Work,
    /// What its present client was given, in order.
    pub sent: Vec<Sent>,
    /// Keys that its present client has written, as bits; only a trusting broker makes it matter.
    pub known: u8,
    /// The last position seen, with [`Bug::Cursor`](super::case::Bug::Cursor).
    pub cursor: Position,
}

/// Where a relay is in its work.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum Work {
    /// Between rounds.
    #[default]
    Idle,
    /// It publishes what it has read, all at once; this is left to be sent.
    Together(Vec<Position>),
    /// After an error: it publishes one by one, and waits for each answer.
    Alone {
        /// What is left; the first one may be under way.
        rest: Vec<Position>,
        /// What can be deleted.
        done: Vec<Position>,
    },
    /// It tries a held row again.
    Again(Position),
}

/// A record that was given to a client.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sent {
    /// Its row.
    pub position: Position,
    /// What has become of it.
    pub fate: Fate,
}

/// What has become of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Under way.
    Flying,
    /// On the topic; the answer is the relay's to take.
    Written,
    /// Refused; the same.
    Refused,
}

impl World {
    /// How it begins: nothing written, all slots free.
    pub fn new(case: &Case) -> World {
        let keys = case.slots.len();
        World {
            writers: vec![Writer::default(); case.writers.len()],
            keys: Vec::new(),
            rows: Vec::new(),
            commits: vec![Vec::new(); keys],
            topic: vec![Vec::new(); keys],
            held: Vec::new(),
            slots: vec![Slot::default(); case.slot_count()],
            relays: vec![Relay::default(); case.relays],
            ghosts: Vec::new(),
            left: case.mishaps,
            early: 2,
            repeated: false,
            trespassed: false,
        }
    }

    /// The key of a row.
    pub fn key(&self, position: Position) -> u8 {
        self.keys[position as usize - 1]
    }

    /// Whether the row is in the table for everybody to see.
    pub fn sees(&self, position: Position) -> bool {
        self.rows.iter().any(|row| row.position == position && row.writer.is_none())
    }

    /// Whether the slot is this relay's under the claim that it believes in.
    pub fn owns(&self, relay: usize, slot: usize) -> bool {
        let Slot { epoch, holder, .. } = self.slots[slot];
        holder == Holder::Relay(relay) && self.relays[relay].leases.contains(&(slot, epoch))
    }

    /// The broker writes a record.
    pub fn append(&mut self, case: &Case, position: Position) {
        let key = self.key(position) as usize;
        if !self.topic[key].contains(&position) {
            self.topic[key].push(position);
        } else if self.left == case.mishaps {
            self.repeated = true;
        }
    }
}
