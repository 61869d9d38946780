//! SyncGroup: the leader brings the assignments, everybody fetches its own.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::{Caller, Checked, Group, Phase, Synced, Ticket};
use crate::groups::ids::{MemberId, ProtocolName};

/// What a member says when it fetches its assignment.
#[derive(Debug, Clone)]
pub(crate) struct SyncRequest {
    pub(crate) caller: Caller,
    /// From version 5 a member says what it believes to take part in (KIP-559).
    pub(crate) protocol_type: Option<ProtocolName>,
    pub(crate) protocol: Option<ProtocolName>,
    /// The leader's division of the work; empty from everybody else.
    pub(crate) assignments: Vec<(MemberId, Bytes)>,
}

impl Group {
    /// A SyncGroup.
    pub(crate) fn sync(&mut self, request: SyncRequest, ticket: Ticket, now_ms: u64) {
        if let Err(error) = self.check_sync(&request) {
            self.reply_sync(ticket, Err(error));
            return;
        }
        let id = request.caller.member_id;
        let is_leader = self.leader.as_ref() == Some(&id);
        let waiting = matches!(self.phase, Phase::Completing { .. });
        let member = self.member(&id);
        member.synced = true;
        member.touch(now_ms);
        if !waiting {
            let assignment = member.assignment.clone();
            let synced = self.synced(assignment);
            self.reply_sync(ticket, Ok(synced));
            return;
        }
        if let Some(older) = member.syncing.replace(ticket) {
            self.reply_sync(older, Err(ResponseError::RebalanceInProgress));
        }
        if is_leader {
            self.assign(request.assignments, now_ms);
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Checked {
        self.check_generation(&request.caller)?;
        let differs =
            |said: &Option<ProtocolName>, own: &Option<ProtocolName>| said.is_some() && said != own;
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol, &self.protocol)
        {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match self.phase {
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::Preparing(_) => Err(ResponseError::RebalanceInProgress),
            Phase::Completing { .. } | Phase::Stable { .. } => Ok(()),
        }
    }

    /// The leader has divided the work: everybody that waits gets its part. Parts for those who
    /// are no members are dropped; members that were forgotten get nothing to do.
    fn assign(&mut self, assignments: Vec<(MemberId, Bytes)>, now_ms: u64) {
        let Phase::Completing { sync_deadline_ms } = self.phase else { return };
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.phase = Phase::Stable { sync_deadline_ms };
        self.settled = true;
        let mut ready = Vec::new();
        for member in self.members.values_mut() {
            if let Some(ticket) = member.syncing.take() {
                member.touch(now_ms);
                ready.push((ticket, member.assignment.clone()));
            }
        }
        for (ticket, assignment) in ready {
            let synced = self.synced(assignment);
            self.reply_sync(ticket, Ok(synced));
        }
    }

    fn synced(&self, assignment: Bytes) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| "".into()),
            protocol: self.protocol.clone().unwrap_or_else(|| "".into()),
            assignment,
        }
    }
}
