//! Committed offsets of one group: where each partition's reading is to go on. And the changes that
//! the journal of all groups holds.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::group::Generation;

/// One committed position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The next offset to read.
    pub(crate) offset: i64,
    /// The leader epoch that the client knew; -1 if it did not say.
    pub(crate) leader_epoch: i32,
    /// The client's own text, given back as it came.
    pub(crate) metadata: Box<str>,
    /// When it was committed, in milliseconds since the Unix epoch.
    pub(crate) committed_at_ms: i64,
}

/// One change to what is kept of groups: what the journal holds, in the order of happening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A group committed a position.
    Commit { group: Box<str>, topic: Box<str>, partition: i32, committed: Committed },
    /// A group's position in one partition is forgotten.
    ForgetPartition { group: Box<str>, topic: Box<str>, partition: i32 },
    /// A group is forgotten.
    ForgetGroup { group: Box<str> },
    /// A topic is gone, and every group's positions in it.
    ForgetTopic { topic: Box<str> },
    /// The members of a group were settled anew.
    Settle { group: Box<str>, generation: Arc<Generation> },
}

/// The committed offsets of one group.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    topics: BTreeMap<Box<str>, BTreeMap<i32, Committed>>,
}

impl Offsets {
    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    pub(crate) fn find(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.topics.get(topic)?.get(&partition)
    }

    /// Every position, by topic and partition.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, i32, &Committed)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, committed)| (&**topic, *partition, committed))
        })
    }

    /// The topics with their positions.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (&str, &BTreeMap<i32, Committed>)> {
        self.topics.iter().map(|(topic, partitions)| (&**topic, partitions))
    }

    /// True if the partition had no position before.
    pub(crate) fn put(&mut self, topic: Box<str>, partition: i32, committed: Committed) -> bool {
        self.topics.entry(topic).or_default().insert(partition, committed).is_none()
    }

    /// True if the partition had a position.
    pub(crate) fn forget_partition(&mut self, topic: Box<str>, partition: i32) -> bool {
        let Entry::Occupied(mut partitions) = self.topics.entry(topic) else { return false };
        let had = partitions.get_mut().remove(&partition).is_some();
        if partitions.get().is_empty() {
            partitions.remove();
        }
        had
    }

    /// How many positions that were.
    pub(crate) fn forget_topic(&mut self, topic: &str) -> usize {
        self.topics.remove(topic).map_or(0, |partitions| partitions.len())
    }

    /// How many positions there are.
    pub(crate) fn len(&self) -> usize {
        self.topics.values().map(BTreeMap::len).sum()
    }
}
