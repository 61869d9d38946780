//! Committing, fetching and deleting offsets; listing, describing and deleting groups.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::coordinator::Entry;
use super::journal::{NotWritten, Written};
use super::offsets::{Change, Committed, Offsets};
use super::{Caller, Checked, GroupName, Groups, Shared, State, limits};
use crate::groups::group::Member;

/// One position to commit.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) topic: Box<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Box<str>,
}

/// A group in a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) group: GroupName,
    /// Empty if it never had members.
    pub(crate) protocol_type: String,
    pub(crate) state: State,
}

/// All about a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Description {
    pub(crate) state: State,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) members: Vec<MemberDescription>,
}

/// All about a member. Metadata and assignment are there while the group is stable.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MemberDescription {
    pub(crate) id: super::MemberId,
    pub(crate) instance: Option<super::InstanceId>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

impl Groups {
    /// Commits positions; the outcomes are in their order. `Ok` means that the position is as
    /// durable as the broker promises and that a fetch sees it. One that failed was not made.
    pub(crate) async fn commit(
        &self,
        group: &GroupName,
        caller: &Caller,
        positions: Vec<Position>,
    ) -> Vec<Checked> {
        let (outcomes, written) = {
            // Looking topics up and queueing happen under one lock: a topic that is deleted now
            // has its commits forgotten after these, never before.
            let mut shared = self.lock();
            self.check_and_queue(&mut shared, group, caller, positions)
        };
        written.wait(outcomes).await
    }

    fn check_and_queue(
        &self,
        shared: &mut Shared,
        group: &GroupName,
        caller: &Caller,
        positions: Vec<Position>,
    ) -> (Vec<Checked>, Written) {
        let committed_at_ms = self.inner.clock.now_ms();
        let now_ms = self.now_ms();
        let allowed = if group.as_str().len() > limits::MAX_ID_BYTES {
            Err(ResponseError::InvalidGroupId)
        } else {
            shared.coordinator.may_commit(group, caller, now_ms)
        };
        let room = |position: &Position| {
            shared.coordinator.has_room(group.as_str(), &position.topic, position.partition)
        };
        let mut changes = Vec::with_capacity(positions.len());
        let mut outcomes = Vec::with_capacity(positions.len());
        for position in positions {
            let outcome = self.check_position(&position, allowed, &room);
            outcomes.push(outcome);
            if outcome.is_ok() {
                let Position { topic, partition, offset, leader_epoch, metadata } = position;
                let committed = Committed { offset, leader_epoch, metadata, committed_at_ms };
                let group = group.as_str().into();
                changes.push(Change::Commit { group, topic, partition, committed });
            }
        }
        (outcomes, self.queue(shared, changes))
    }

    fn check_position(
        &self,
        position: &Position,
        allowed: Checked,
        room: &dyn Fn(&Position) -> bool,
    ) -> Checked {
        self.check_partition(&position.topic, position.partition)?;
        allowed?;
        if position.metadata.len() > limits::MAX_COMMIT_METADATA_BYTES {
            return Err(ResponseError::OffsetMetadataTooLarge);
        }
        if room(position) { Ok(()) } else { Err(ResponseError::InvalidCommitOffsetSize) }
    }

    fn check_partition(&self, topic: &str, partition: i32) -> Checked {
        match self.inner.topics.partitions(topic) {
            Some(partitions) if (0..partitions).contains(&partition) => Ok(()),
            _ => Err(ResponseError::UnknownTopicOrPartition),
        }
    }

    /// Lets `read` look at the offsets of a group; `None` if there is no such group.
    pub(crate) fn offsets<T>(&self, group: &str, read: impl FnOnce(Option<&Offsets>) -> T) -> T {
        let shared = self.lock();
        read(shared.coordinator.find(group).map(|entry| &entry.offsets))
    }

    /// Every group, in the order of their names.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let mut listed: Vec<Listed> = self
            .lock()
            .coordinator
            .iter()
            .filter(|(_, entry)| !(entry.group.is_vacant() && entry.offsets.is_empty()))
            .map(|(name, entry)| Listed {
                group: name.clone(),
                protocol_type: protocol_type(entry),
                state: entry.group.state(),
            })
            .collect();
        listed.sort_by(|a, b| a.group.cmp(&b.group));
        listed
    }

    /// All about a group; `None` if there is no such group.
    pub(crate) fn describe(&self, group: &str) -> Option<Description> {
        let shared = self.lock();
        let entry = shared.coordinator.find(group)?;
        let protocol = entry.group.protocol().filter(|_| entry.group.state() == State::Stable);
        let describe = |member: &Member| MemberDescription {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: protocol.map(|name| member.metadata(name)).unwrap_or_default(),
            assignment: protocol.map(|_| member.assignment.clone()).unwrap_or_default(),
        };
        Some(Description {
            state: entry.group.state(),
            protocol_type: protocol_type(entry),
            protocol: protocol.map(|name| name.as_str().to_string()).unwrap_or_default(),
            members: entry.group.members().map(describe).collect(),
        })
    }

    /// Forgets a group and its offsets; refused while it has members.
    pub(crate) async fn delete(&self, group: &GroupName) -> Checked {
        let written = {
            let mut shared = self.lock();
            match shared.coordinator.find(group.as_str()) {
                None => return Err(ResponseError::GroupIdNotFound),
                Some(entry) if !entry.group.is_vacant() => {
                    return Err(ResponseError::NonEmptyGroup);
                }
                Some(_) => {}
            }
            let changes = vec![Change::ForgetGroup { group: group.as_str().into() }];
            self.queue(&mut shared, changes)
        };
        written.done().await.map_err(|NotWritten| ResponseError::CoordinatorNotAvailable)
    }

    /// Forgets positions of a group; refused for topics that its members read. The outcomes are
    /// in the order of the positions.
    ///
    /// # Errors
    /// The group as a whole: not there, or with members of another kind than consumers.
    pub(crate) async fn delete_offsets(
        &self,
        group: &GroupName,
        positions: Vec<(Box<str>, i32)>,
    ) -> Result<Vec<Checked>, ResponseError> {
        let (outcomes, written) = {
            let mut shared = self.lock();
            let entry =
                shared.coordinator.find(group.as_str()).ok_or(ResponseError::GroupIdNotFound)?;
            if !entry.group.is_vacant() && protocol_type(entry) != "consumer" {
                return Err(ResponseError::NonEmptyGroup);
            }
            let mut changes = Vec::new();
            let mut outcomes = Vec::with_capacity(positions.len());
            for (topic, partition) in positions {
                let outcome = self.check_partition(&topic, partition).and_then(|()| {
                    let read = entry.group.subscribes_to(&topic);
                    if read { Err(ResponseError::GroupSubscribedToTopic) } else { Ok(()) }
                });
                outcomes.push(outcome);
                if outcome.is_ok() {
                    let group = group.as_str().into();
                    changes.push(Change::ForgetPartition { group, topic, partition });
                }
            }
            (outcomes, self.queue(&mut shared, changes))
        };
        Ok(written.wait(outcomes).await)
    }
}

fn protocol_type(entry: &Entry) -> String {
    entry.group.protocol_type().map(|name| name.as_str().to_string()).unwrap_or_default()
}
