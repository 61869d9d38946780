//! The state machine of one classic consumer group: no I/O, no clock, no randomness.
//!
//! Times and fresh member ids come in as arguments. Requests that may have to wait (JoinGroup,
//! SyncGroup) come with a [`Ticket`]; every ticket is answered exactly once by a [`Reply`], at
//! once or by a later call. After each call the caller keeps what [`Group::take_settled`] returns,
//! hands out [`Group::take_replies`] and calls [`Group::tick`] no later than
//! [`Group::next_deadline_ms`].
//!
//! ```text
//!            join                      all joined, or time over
//!   Empty ----------> PreparingRebalance ----------------------> CompletingRebalance
//!     ^                 |  ^      ^                                  |  |
//!     |   nobody left   |  |      |   join, leave, expiry            |  | the leader's SyncGroup
//!     +-----------------+  |      +----------------------------------+  v
//!                          +----------------------------------------- Stable
//! ```
//!
//! Sources: KIP-62 (rebalance timeout), KIP-134 (initial delay), KIP-345 (static members),
//! KIP-394 (member id before joining), KIP-559 (protocol in SyncGroup), KIP-814 (static leader).

mod generation;
mod join;
mod liveness;
mod member;
mod rebalance;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::ids::{InstanceId, MemberId, ProtocolName};
use super::subscription;

pub(crate) use generation::{Generation, SettledMember};
pub(crate) use join::JoinRequest;
pub(crate) use member::{Member, Protocol};
pub(crate) use sync::SyncRequest;

/// A request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// The answer to a waiting request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// The answer to a JoinGroup.
    Join(Ticket, Result<Joined, JoinRefused>),
    /// The answer to a SyncGroup.
    Sync(Ticket, Result<Synced, ResponseError>),
}

/// A member is in; this is its generation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: ProtocolName,
    pub(crate) protocol: ProtocolName,
    pub(crate) leader: MemberId,
    pub(crate) member_id: MemberId,
    /// The leader is not to compute an assignment: the one that stands goes on (KIP-814).
    pub(crate) skip_assignment: bool,
    /// All members, for the leader; empty for everybody else.
    pub(crate) members: Vec<JoinedMember>,
}

/// What the leader learns about a member.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JoinedMember {
    pub(crate) id: MemberId,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) metadata: Bytes,
}

/// A member is not in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JoinRefused {
    pub(crate) error: ResponseError,
    /// The id to come again with, after MEMBER_ID_REQUIRED; else the one that it came with.
    pub(crate) member_id: MemberId,
}

/// A member's part of the work.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: ProtocolName,
    pub(crate) protocol: ProtocolName,
    pub(crate) assignment: Bytes,
}

/// Who asks, as far as the group is concerned.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) member_id: MemberId,
    pub(crate) instance: Option<InstanceId>,
    /// -1 for those that commit without being a member.
    pub(crate) generation: i32,
}

/// Where a group is in its life; the names are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// The bounds that the state machine keeps.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) initial_rebalance_delay_ms: u64,
    pub(crate) new_member_join_timeout_ms: u64,
    pub(crate) max_members: usize,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    bounds: Bounds,
    phase: Phase,
    generation: i32,
    protocol_type: Option<ProtocolName>,
    protocol: Option<ProtocolName>,
    leader: Option<MemberId>,
    members: BTreeMap<MemberId, Member>,
    /// Which member bears which stable name now.
    instances: BTreeMap<InstanceId, MemberId>,
    /// Ids handed out with MEMBER_ID_REQUIRED that have not come back, and until when they may.
    expected: BTreeMap<MemberId, u64>,
    arrivals: u64,
    /// When the last member went, or the group was made.
    empty_since_ms: u64,
    /// A generation was settled that [`Group::take_settled`] has not handed out yet.
    settled: bool,
    replies: Vec<Reply>,
}

/// The state with what belongs to it alone.
#[derive(Debug)]
enum Phase {
    Empty,
    Preparing(Gathering),
    Completing {
        sync_deadline_ms: u64,
    },
    /// The deadline is for those who have not fetched their assignment yet.
    Stable {
        sync_deadline_ms: u64,
    },
}

/// The wait for members to (re)join.
#[derive(Debug)]
struct Gathering {
    deadline_ms: u64,
    /// KIP-134: the first rebalance of an empty group waits for a fleet that is just starting.
    initial: Option<InitialDelay>,
}

#[derive(Debug)]
struct InitialDelay {
    /// How much longer the delay may be extended.
    remaining_ms: u64,
    /// Someone came since the delay began, so others may be on their way.
    grew: bool,
}

impl Group {
    /// A group without members.
    pub(crate) fn new(bounds: Bounds, now_ms: u64) -> Group {
        Group {
            bounds,
            phase: Phase::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            expected: BTreeMap::new(),
            arrivals: 0,
            empty_since_ms: now_ms,
            settled: false,
            replies: Vec::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.phase {
            Phase::Empty => State::Empty,
            Phase::Preparing(_) => State::PreparingRebalance,
            Phase::Completing { .. } => State::CompletingRebalance,
            Phase::Stable { .. } => State::Stable,
        }
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn protocol_type(&self) -> Option<&ProtocolName> {
        self.protocol_type.as_ref()
    }

    pub(crate) fn protocol(&self) -> Option<&ProtocolName> {
        self.protocol.as_ref()
    }

    /// Since when it has had no members; `None` while it has some.
    pub(crate) fn empty_since_ms(&self) -> Option<u64> {
        matches!(self.phase, Phase::Empty).then_some(self.empty_since_ms)
    }

    /// Whether nobody is in it and nobody is expected.
    pub(crate) fn is_vacant(&self) -> bool {
        matches!(self.phase, Phase::Empty) && self.expected.is_empty()
    }

    /// Whether a member reads `topic`. A member whose subscription cannot be read may read
    /// anything, so it counts.
    pub(crate) fn subscribes_to(&self, topic: &str) -> bool {
        self.members.values().any(|member| {
            member.protocols.iter().any(|protocol| {
                subscription::topics(&protocol.metadata)
                    .is_none_or(|topics| topics.contains(&topic))
            })
        })
    }

    /// The answers that became due in the calls since the last time.
    #[must_use]
    pub(crate) fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    /// When [`Group::tick`] has something to do, unless something else happens first.
    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        let phase = match &self.phase {
            Phase::Empty => None,
            Phase::Preparing(gathering) => Some(gathering.deadline_ms),
            Phase::Completing { sync_deadline_ms } => Some(*sync_deadline_ms),
            Phase::Stable { sync_deadline_ms } => {
                self.members.values().any(|member| !member.synced).then_some(*sync_deadline_ms)
            }
        };
        let sessions = self.members.values().filter_map(Member::expiry_ms);
        phase.into_iter().chain(sessions).chain(self.expected.values().copied()).min()
    }

    /// Whether `caller` is a member now. A stable name that has passed to another member means
    /// that this caller is fenced (KIP-345).
    fn check_member(&self, id: &MemberId, instance: Option<&InstanceId>) -> Checked {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(current) if current != id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(id) { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    fn check_generation(&self, caller: &Caller) -> Checked {
        self.check_member(&caller.member_id, caller.instance.as_ref())?;
        if caller.generation == self.generation {
            Ok(())
        } else {
            Err(ResponseError::IllegalGeneration)
        }
    }

    fn reply_join(&mut self, ticket: Ticket, answer: Result<Joined, JoinRefused>) {
        self.replies.push(Reply::Join(ticket, answer));
    }

    fn reply_sync(&mut self, ticket: Ticket, answer: Result<Synced, ResponseError>) {
        self.replies.push(Reply::Sync(ticket, answer));
    }
}

/// The outcome of a request that gets no answer but an error code.
pub(crate) type Checked = Result<(), ResponseError>;
