//! A history: what was done to a broker and what it answered, as data that can be kept in a file.
//!
//! Nothing in here knows how an operation came about. Moments are tickets of one counter, so two
//! operations can be told to have followed each other or to have overlapped.

pub mod check;
mod positions;
mod reading;
pub mod recorder;

use serde::{Deserialize, Serialize};

pub use check::{Finding, Kind, check};
pub use recorder::Recorder;

/// A partition: the number of the topic in the run, and of the partition in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Which of the run's topics.
    pub topic: u16,
    /// Which of its partitions.
    pub partition: u16,
}

/// What a record holds: who sent it where, and the how-manieth of that sender there it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Value {
    /// The sender.
    pub producer: u16,
    /// Where it was sent to.
    pub sent_to: Place,
    /// Counts per producer and place, from 0.
    pub sequence: u64,
}

/// From when to when an operation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Before it was asked for.
    pub began: u64,
    /// After its answer came; `None` if none came: it may still take effect at any time.
    pub ended: Option<u64>,
}

/// What a sender was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is kept; at this offset, if the broker knew (a late repetition is answered without).
    Acknowledged(Option<i64>),
    /// It was definitely refused.
    Failed,
    /// No answer: it may be kept or not.
    Unknown,
}

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// A producer sent a value.
    Send {
        /// What, by whom, where to.
        value: Value,
        /// What it was told.
        answer: Answer,
    },
    /// A reader starts (again) in a place; what it reads next follows from here.
    Start {
        /// Which reader.
        reader: u16,
        /// Where.
        place: Place,
        /// The offset asked for; `None` if the broker's committed one is taken.
        from: Option<i64>,
    },
    /// A reader was given a record. In order, per reader.
    Read {
        /// Which reader.
        reader: u16,
        /// Where.
        place: Place,
        /// At which offset.
        offset: i64,
        /// What; `None` if it is nothing that a producer of this run makes.
        value: Option<Value>,
        /// The end of the log as the same answer told it, if the reader could see that.
        end: Option<i64>,
    },
    /// The end of a log (its high watermark) as somebody was told.
    End {
        /// Where.
        place: Place,
        /// The offset behind the last record that readers may see.
        end: i64,
        /// When.
        span: Span,
    },
    /// A group's position was committed.
    Commit {
        /// Where.
        place: Place,
        /// The next offset to read.
        position: i64,
        /// When; without an end if it is not known to have been made.
        span: Span,
    },
    /// A group's position was asked for; -1 stands for none.
    Position {
        /// Where.
        place: Place,
        /// What the broker said.
        position: i64,
        /// When.
        span: Span,
    },
    /// After everything: a record that the log holds.
    Kept {
        /// Where.
        place: Place,
        /// At which offset.
        offset: i64,
        /// What.
        value: Option<Value>,
    },
    /// After everything: from where to where the log says that it reaches.
    Bounds {
        /// Where.
        place: Place,
        /// Its first offset.
        start: i64,
        /// The offset behind its last.
        end: i64,
    },
}

#[cfg(test)]
mod mutation_tests;
#[cfg(test)]
mod tests;
