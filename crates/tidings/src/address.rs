//! Where a record lies in Kafka: newtypes for its parts, and the way they are written.

use std::fmt;
use std::str::FromStr;

/// The number of a partition within its topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub i32);

/// The place of a record within its partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

/// A record's place, written `topic[partition]@offset`.
///
/// ```
/// use tidings::RecordAddress;
/// let at: RecordAddress = "orders[3]@401".parse()?;
/// assert_eq!((at.topic.as_str(), at.partition.0, at.offset.0), ("orders", 3, 401));
/// assert_eq!(at.to_string(), "orders[3]@401");
/// # Ok::<(), tidings::InvalidAddress>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordAddress {
    /// The topic's name.
    pub topic: String,
    /// The partition within the topic.
    pub partition: PartitionId,
    /// The offset within the partition.
    pub offset: Offset,
}

/// A text that is no `topic[partition]@offset`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is no address of a record: write topic[partition]@offset, such as orders[3]@401")]
pub struct InvalidAddress(String);

impl Offset {
    /// The offset behind this one.
    pub fn next(self) -> Offset {
        Offset(self.0 + 1)
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RecordAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for RecordAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<RecordAddress, InvalidAddress> {
        let parse = || {
            let (place, offset) = text.rsplit_once('@')?;
            let (topic, partition) = place.strip_suffix(']')?.rsplit_once('[')?;
            let (partition, offset) = (partition.parse().ok()?, offset.parse().ok()?);
            (!topic.is_empty() && partition >= 0 && offset >= 0).then(|| RecordAddress {
                topic: topic.to_owned(),
                partition: PartitionId(partition),
                offset: Offset(offset),
            })
        };
        parse().ok_or_else(|| InvalidAddress(text.to_owned()))
    }
}
