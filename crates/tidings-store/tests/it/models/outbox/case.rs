//! What is explored: small cases, and mistakes that can be built in.

/// A small world: who writes, how the work is shared, and how much may go wrong.
#[derive(Clone, Copy)]
pub struct Case {
    /// Each transaction's keys, in the order in which it publishes to them.
    pub writers: &'static [&'static [u8]],
    /// The slot of each key.
    pub slots: &'static [usize],
    /// How many relays there are.
    pub relays: usize,
    /// What may go wrong, at most.
    pub mishaps: Mishaps,
    /// What a broker makes of a record behind a refused one.
    pub broker: Broker,
    /// Whether a client's first record of a key is waited for before others follow it.
    pub is_first_alone: bool,
    /// A mistake that is built in.
    pub bug: Option<Bug>,
    /// The one promise that is looked at; all of them without.
    pub promise: Option<&'static str>,
}

/// How often something may go wrong, or happen out of turn: without a limit there is no end.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Mishaps {
    /// A relay dies and starts anew under another name.
    pub crashes: u8,
    /// A relay that lives is asleep, or the database away, until a lease of it ends.
    pub expiries: u8,
    /// The broker refuses a record.
    pub refusals: u8,
    /// A relay gives its slots back, as one does that stops or has more than its share.
    pub returns: u8,
}

/// What a broker makes of a record behind a refused one of the same client and key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Broker {
    /// It refuses it, since its number is not the next one.
    Strict,
    /// The same, but it takes any first number from a producer that it does not know, as Apache
    /// Kafka does (`ProducerAppendInfo.checkSequence`) and our own broker after it.
    Trusting,
}

/// Mistakes, one at a time. Each must be found, or the model would prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A writer takes its position, and then the lock of the key.
    PositionBeforeLock,
    /// A relay reads behind the last row it has seen, not from the lowest one.
    Cursor,
    /// Only the held row itself waits, not what is behind it in its key.
    SendBehindHeld,
    /// Rows are deleted whoever holds their slot by now. They are on the topic, so neither order
    /// nor rows are lost; but the new holder may be about to hold one, and then holds nothing.
    DeleteWithoutEpoch,
    /// Rows are held whoever holds their slot by now.
    HoldWithoutEpoch,
    /// What holds a key is dropped by any relay that still holds some slot: the deletion looks at
    /// the row's slot, and this one beside it does not.
    LetGoOfOthers,
    /// Rows are deleted when they are sent.
    DeleteBeforeAnswer,
    /// A client goes on behind a record that failed.
    Gaps,
    /// A slot is claimed though its lease is not over. Epochs keep order and rows even then; what
    /// leases are for is that relays that are well do not publish the same rows.
    ClaimEarly,
}

impl Case {
    /// The slots that there are.
    pub fn slot_count(&self) -> usize {
        self.slots.iter().max().map_or(0, |highest| highest + 1)
    }

    /// Whether this mistake is built in.
    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}
