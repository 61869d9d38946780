//! The rebalance itself: gathering the members, electing leader and protocol, the next generation.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::{Gathering, Group, InitialDelay, Phase};
use crate::groups::ids::{MemberId, ProtocolName};

impl Group {
    /// Calls all members to join again. Whoever waits for an assignment is told so.
    pub(super) fn prepare_rebalance(&mut self, now_ms: u64) {
        let mut waiting = Vec::new();
        for member in self.members.values_mut() {
            if let Some(ticket) = member.syncing.take() {
                // It could not send heartbeats while it waited, so its session begins anew.
                member.touch(now_ms);
                waiting.push(ticket);
            }
        }
        for ticket in waiting {
            self.reply_sync(ticket, Err(ResponseError::RebalanceInProgress));
        }
        if matches!(self.phase, Phase::Completing { .. }) {
            // Assignments of a generation that never became stable are of no use to anyone.
            for member in self.members.values_mut() {
                member.assignment = Bytes::new();
            }
        }
        let timeout_ms = self.rebalance_timeout_ms();
        let gathering = if matches!(self.phase, Phase::Empty) {
            let delay_ms = self.bounds.initial_rebalance_delay_ms.min(timeout_ms);
            let initial = InitialDelay { remaining_ms: timeout_ms - delay_ms, grew: false };
            Gathering { deadline_ms: now_ms + delay_ms, initial: Some(initial) }
        } else {
            Gathering { deadline_ms: now_ms + timeout_ms, initial: None }
        };
        self.phase = Phase::Preparing(gathering);
        self.try_complete_join(now_ms);
    }

    /// Completes the gathering if there is nobody left to wait for.
    pub(super) fn try_complete_join(&mut self, now_ms: u64) {
        let Phase::Preparing(gathering) = &self.phase else { return };
        let complete = match &gathering.initial {
            Some(_) => gathering.deadline_ms <= now_ms,
            None => {
                self.expected.is_empty()
                    && self.members.values().all(|member| member.joining.is_some())
            }
        };
        if complete {
            self.complete_join(now_ms);
        }
    }

    /// The time for gathering is over.
    pub(super) fn gathering_expired(&mut self, now_ms: u64) {
        let delay_ms = self.bounds.initial_rebalance_delay_ms;
        if let Phase::Preparing(Gathering { deadline_ms, initial: Some(initial) }) = &mut self.phase
            && initial.grew
            && initial.remaining_ms > 0
        {
            let more_ms = delay_ms.min(initial.remaining_ms);
            *deadline_ms = now_ms + more_ms;
            initial.remaining_ms -= more_ms;
            initial.grew = false;
            return;
        }
        self.complete_join(now_ms);
    }

    /// Starts the next generation with those who came. Static members that did not come keep
    /// their place until their session ends (KIP-345).
    fn complete_join(&mut self, now_ms: u64) {
        let gone: Vec<MemberId> = self
            .members
            .values()
            .filter(|member| member.joining.is_none() && member.instance.is_none())
            .map(|member| member.id.clone())
            .collect();
        for id in gone {
            self.remove_member(&id);
        }
        if self.members.is_empty() {
            self.become_empty(now_ms);
            return;
        }
        if !self.elect_leader() {
            // Nobody came, and those who are missing may be back within their sessions.
            let deadline_ms = now_ms + self.rebalance_timeout_ms();
            self.phase = Phase::Preparing(Gathering { deadline_ms, initial: None });
            return;
        }
        self.generation = next_generation(self.generation);
        self.protocol = self.elect_protocol();
        let sync_deadline_ms = now_ms + self.rebalance_timeout_ms();
        self.phase = Phase::Completing { sync_deadline_ms };
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for id in ids {
            let is_leader = self.leader.as_ref() == Some(&id);
            let members = if is_leader { self.roster() } else { Vec::new() };
            let joined = self.joined(&id, members, false);
            let member = self.member(&id);
            member.touch(now_ms);
            member.is_new = false;
            member.synced = false;
            if let Some(ticket) = member.joining.take() {
                self.reply_join(ticket, Ok(joined));
            }
        }
    }

    /// The last member is gone.
    pub(super) fn become_empty(&mut self, now_ms: u64) {
        self.generation = next_generation(self.generation);
        self.protocol = None;
        self.leader = None;
        self.empty_since_ms = now_ms;
        self.settled = true;
        self.phase = Phase::Empty;
    }

    /// Sees to it that the leader is one of those who came; false if nobody came.
    fn elect_leader(&mut self) -> bool {
        let came = |id: &MemberId| self.members.get(id).is_some_and(|m| m.joining.is_some());
        if self.leader.as_ref().is_some_and(came) {
            return true;
        }
        let earliest = self
            .members
            .values()
            .filter(|member| member.joining.is_some())
            .min_by_key(|member| member.arrival);
        let Some(earliest) = earliest else { return false };
        self.leader = Some(earliest.id.clone());
        true
    }

    /// Of the protocols that all members know, the one that most of them prefer; of equals, the
    /// one that the longest-standing member ranks first.
    pub(super) fn elect_protocol(&self) -> Option<ProtocolName> {
        let eldest = self.members.values().min_by_key(|member| member.arrival)?;
        let candidates: Vec<&ProtocolName> = eldest
            .protocols
            .iter()
            .map(|protocol| &protocol.name)
            .filter(|name| self.members.values().all(|member| member.knows(name)))
            .collect();
        let mut votes: BTreeMap<&ProtocolName, usize> = BTreeMap::new();
        for member in self.members.values() {
            let preferred = member.protocols.iter().find(|p| candidates.contains(&&p.name));
            if let Some(preferred) = preferred {
                *votes.entry(&preferred.name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        candidates.into_iter().find(|name| votes.get(name) == Some(&most)).cloned()
    }

    /// The longest time that any member asks for.
    pub(super) fn rebalance_timeout_ms(&self) -> u64 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }
}

/// Generations count up and stay positive: a wrapped one would look like "no member" (-1).
fn next_generation(generation: i32) -> i32 {
    generation.checked_add(1).unwrap_or(1)
}
