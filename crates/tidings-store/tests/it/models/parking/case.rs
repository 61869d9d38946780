//! What is explored: small cases, and mistakes that can be built in.

use crate::models::parking::world::Step;

/// A small world: what is on the topic, what handlers share, and how much may go wrong.
#[derive(Clone, Copy)]
pub struct Case {
    /// The topic, each partition in the order of its offsets.
    pub records: &'static [Record],
    /// What handlers take that others may want too: [`Step::Write`] for a row, [`Step::Publish`]
    /// for a key of the outbox. That they insert rows of their own goes without saying.
    pub handler: &'static [Step],
    /// Whether the handlers of all keys write the same row and publish to the same key.
    pub shares: bool,
    /// How a handler's transaction opens.
    pub opening: Opening,
    /// Which of the parked events of a key comes first.
    pub head: Head,
    /// Whether a handler's transaction is one in which an event of another key has written the row.
    pub joins: bool,
    /// How many of the two instances drain. Leases are left out: whoever may work on a key does.
    pub drainers: usize,
    /// Whether a person comes and has tried again what was given up.
    pub has_person: bool,
    /// What may go wrong, at most.
    pub mishaps: Mishaps,
    /// A mistake that is built in.
    pub bug: Option<Bug>,
    /// The one promise that is looked at; all of them without.
    pub promise: Option<&'static str>,
}

/// A record of the topic.
#[derive(Clone, Copy)]
pub struct Record {
    /// Where it lies; its place among the partition's records is its offset.
    pub partition: usize,
    /// Its key.
    pub key: usize,
    /// Its event: copies of one share it, as a relay may publish them.
    pub event: usize,
}

/// How a handler's transaction opens, after the look from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// `SELECT ... FOR UPDATE` from `parked_key`: it waits for whoever is at the key.
    Locks,
    /// The same without a lock: it waits for nobody.
    Looks,
    /// The look from outside is enough.
    Trusts,
}

/// Which of the parked events of a key comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The lowest partition, then the lowest offset.
    LowestOffset,
    /// The first one that was parked, by a number that is taken under the key's lock.
    FirstParked,
}

/// How often something may go wrong: without a limit there is no end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mishaps {
    /// A handler fails, and is tried again or given up.
    pub failures: u8,
    /// A partition goes to the other instance.
    pub rebalances: u8,
    /// An instance dies and starts anew.
    pub crashes: u8,
    /// A transaction is broken off by the database, or the answer to its commit is lost.
    pub breaks: u8,
}

/// Mistakes, one at a time. Each must be found, or the model would prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// An instance that has seen once that a key is not parked believes it from then on.
    RememberedKey,
    /// A lane does not look into the inbox before the handler runs.
    NoLookIntoInbox,
    /// A handler's transaction writes the inbox row before anything else but the key's lock.
    InboxFirst,
    /// It writes the inbox row even before it takes the key's lock.
    InboxBeforeKeyInLanes,
    /// Parking writes the inbox row, and then takes the key's lock.
    InboxBeforeKeyInParking,
    /// Only parking behind others does that; what has failed takes the key first.
    InboxBeforeKeyBehind,
    /// A handler's transaction goes on when the inbox row is there.
    UnheededInbox,
    /// Parking goes on when the inbox row is there.
    UnheededInboxInParking,
    /// Parking behind others parks the key again if it was released meanwhile.
    ParkReleasedKey,
    /// Parking behind others does not notice that the key was released.
    ParkBehindNothing,
    /// Parking inserts `parked_key` unless it is there, locks it in a second statement, and does
    /// not notice that it went between the two.
    InsertThenLock,
    /// Parking sets the key's due to that of its own row, not to that of the head.
    DueOfLast,
    /// A lane goes on when its handler has failed, before the event is parked.
    GoOnBeforeParked,
    /// An offset is finished only when its event is handled, not when it is parked.
    WaitForParked,
    /// A drain begins without the lock of `parked_key`, and takes it when it has counted what is
    /// left.
    DrainWithoutLock,
    /// A drain decides whether anything is left by what there was when it read the head; so does
    /// a statement that waits for the lock and counts, since it counts what it saw at its start.
    CountBeforeLock,
    /// A drain goes on when the head's row is gone.
    UnheededDelete,
    /// A drain updates the inbox and then writes to the outbox.
    OutboxLast,
    /// A drain that has failed sets the key's due even if the row it has failed at is gone.
    UnheededFailure,
    /// A lane takes the next event of its key before the one in hand is finished.
    Overtake,
    /// Commits go behind the highest offset that is finished.
    CommitHighest,
    /// An instance commits for an assignment that is no longer its own.
    CommitStale,
}

impl Case {
    /// Whether this mistake is built in.
    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// The records of a partition in the order of their offsets.
    pub fn partition(&self, partition: usize) -> impl Iterator<Item = usize> {
        (0..self.records.len()).filter(move |&record| self.records[record].partition == partition)
    }

    /// What a key's handlers write to: the row, and the key in the outbox.
    pub fn target(&self, key: usize) -> usize {
        if self.shares { 0 } else { key }
    }

    /// Whether copies of this event lie in several partitions.
    pub fn lies_apart(&self, event: usize) -> bool {
        let mut copies = self.records.iter().filter(|record| record.event == event);
        let first = copies.next();
        copies.any(|copy| first.is_some_and(|first| first.partition != copy.partition))
    }

    /// What a lane does with an event whose key is not parked, step by step.
    pub fn steps_of_lane(&self) -> &'static [Step] {
        use Step::{Commit, Join, MarkDone, Publish, Run, Write};
        match self.bug {
            _ if self.joins => &[Join, Run, Write, Publish, MarkDone, Commit],
            Some(Bug::InboxFirst) => &[Run, MarkDone, Write, Publish, Commit],
            Some(Bug::InboxBeforeKeyInLanes) => &[MarkDone, Run, Write, Publish, Commit],
            _ => &[Run, Write, Publish, MarkDone, Commit],
        }
    }

    /// What a drain does with the head of a key.
    pub fn steps_of_drain(&self) -> &'static [Step] {
        use Step::{Commit, DeleteHead, MarkDone, Publish, Release, Run, Write};
        match self.bug {
            Some(Bug::OutboxLast) => &[Run, DeleteHead, Write, MarkDone, Publish, Release, Commit],
            _ => &[Run, DeleteHead, Write, Publish, MarkDone, Release, Commit],
        }
    }
}
