//! A settled generation: all that a group must know again after a restart of the broker.
//!
//! Apache Kafka keeps the same in its `__consumer_offsets`: when the assignment is in, when
//! a static member's name passes on, and when the last member is gone. Nobody is told its part of
//! a generation before that generation is kept: otherwise a restart could give its number out
//! again, and a member of the lost one could commit under it what now belongs to another.

use bytes::Bytes;

use super::member::{Member, Protocol};
use super::{Bounds, Group, Phase};
use crate::groups::ids::{InstanceId, MemberId, ProtocolName};

/// Who is in a group, and what the leader gave each to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: i32,
    pub(crate) protocol_type: Option<ProtocolName>,
    pub(crate) protocol: Option<ProtocolName>,
    pub(crate) leader: Option<MemberId>,
    /// In the order of coming.
    pub(crate) members: Vec<SettledMember>,
}

/// A member as it is kept: what it said when it joined, and its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettledMember {
    pub(crate) id: MemberId,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: u64,
    pub(crate) rebalance_timeout_ms: u64,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
}

impl Group {
    /// The group as it was when `kept` was settled. Every member has a whole session to show up.
    pub(crate) fn restore(bounds: Bounds, kept: &Generation, now_ms: u64) -> Group {
        let mut group = Group::new(bounds, now_ms);
        group.generation = kept.number;
        group.protocol_type = kept.protocol_type.clone();
        if kept.members.is_empty() {
            return group;
        }
        group.protocol = kept.protocol.clone();
        for member in &kept.members {
            group.arrivals += 1;
            if let Some(instance) = &member.instance {
                group.instances.insert(instance.clone(), member.id.clone());
            }
            let restored = member.restored(group.arrivals, now_ms);
            group.members.insert(member.id.clone(), restored);
        }
        let eldest = || kept.members.first().map(|member| member.id.clone());
        let leader = kept.leader.clone().filter(|leader| group.members.contains_key(leader));
        group.leader = leader.or_else(eldest);
        let sync_deadline_ms = now_ms.saturating_add(group.rebalance_timeout_ms());
        group.phase = Phase::Stable { sync_deadline_ms };
        group
    }

    /// The generation that was settled since the last time, if one was.
    pub(crate) fn take_settled(&mut self) -> Option<Generation> {
        std::mem::take(&mut self.settled).then(|| {
            let mut members: Vec<&Member> = self.members.values().collect();
            members.sort_by_key(|member| member.arrival);
            Generation {
                number: self.generation,
                protocol_type: self.protocol_type.clone(),
                protocol: self.protocol.clone(),
                leader: self.leader.clone(),
                members: members.into_iter().map(SettledMember::of).collect(),
            }
        })
    }
}

impl SettledMember {
    fn of(member: &Member) -> SettledMember {
        SettledMember {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            session_timeout_ms: member.session_timeout_ms,
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            protocols: member.protocols.clone(),
            assignment: member.assignment.clone(),
        }
    }

    fn restored(&self, arrival: u64, now_ms: u64) -> Member {
        Member {
            id: self.id.clone(),
            instance: self.instance.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            session_timeout_ms: self.session_timeout_ms,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            protocols: self.protocols.clone(),
            assignment: self.assignment.clone(),
            arrival,
            session_deadline_ms: now_ms.saturating_add(self.session_timeout_ms),
            is_new: false,
            // What it was given it may fetch again, and need not.
            synced: true,
            joining: None,
            syncing: None,
        }
    }
}
