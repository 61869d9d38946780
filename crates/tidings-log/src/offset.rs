//! The position of a record in its partition: a newtype, so that it is never mistaken for a count.

use std::fmt;

/// The position of one record in its partition. Offsets start at 0 and only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

impl Offset {
    /// The first offset of every partition.
    pub const ZERO: Offset = Offset(0);

    /// The bare number, as it goes onto the wire.
    pub fn value(self) -> i64 {
        self.0
    }

    /// The offset `records` later.
    #[must_use]
    pub fn plus(self, records: i64) -> Offset {
        Offset(self.0.saturating_add(records))
    }

    /// The offset right behind this one.
    #[must_use]
    pub fn next(self) -> Offset {
        self.plus(1)
    }

    /// How many offsets lie between `earlier` and this one.
    pub fn since(self, earlier: Offset) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<i64> for Offset {
    fn from(value: i64) -> Offset {
        Offset(value)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
