//! One member of a group: what it said when it joined, what it waits for, when it is given up.

use bytes::Bytes;

use super::Ticket;
use crate::groups::ids::{InstanceId, MemberId, ProtocolName};

/// One way to divide the work that a member can take part in, with what it told the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: ProtocolName,
    pub(crate) metadata: Bytes,
}

/// A member of a group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: u64,
    pub(crate) rebalance_timeout_ms: u64,
    /// In the member's order of preference.
    pub(crate) protocols: Vec<Protocol>,
    /// What the leader gave it in this generation; empty until then.
    pub(crate) assignment: Bytes,
    /// The place in the order of coming: the longest-standing member follows a lost leader.
    pub(super) arrival: u64,
    /// Without a sign of life until then it is given up, unless it waits for us.
    pub(super) session_deadline_ms: u64,
    /// It has not seen any generation yet.
    pub(super) is_new: bool,
    /// It has fetched (or is fetching) its assignment of this generation.
    pub(super) synced: bool,
    /// Its JoinGroup that is not answered yet.
    pub(super) joining: Option<Ticket>,
    /// Its SyncGroup that is not answered yet.
    pub(super) syncing: Option<Ticket>,
}

impl Member {
    /// What it told about the protocol `name`; empty if it does not know that one.
    pub(crate) fn metadata(&self, name: &ProtocolName) -> Bytes {
        let protocol = self.protocols.iter().find(|protocol| protocol.name == *name);
        protocol.map(|protocol| protocol.metadata.clone()).unwrap_or_default()
    }

    pub(super) fn knows(&self, name: &ProtocolName) -> bool {
        self.protocols.iter().any(|protocol| protocol.name == *name)
    }

    /// It gave a sign of life.
    pub(super) fn touch(&mut self, now_ms: u64) {
        self.session_deadline_ms = now_ms.saturating_add(self.session_timeout_ms);
    }

    /// When it is to be given up; `None` while it waits for an answer of ours, during which it
    /// cannot send heartbeats. A member that is new is bounded even then: if its connection broke
    /// nobody is left to hear that it has joined.
    pub(super) fn expiry_ms(&self) -> Option<u64> {
        let waits_for_us = self.joining.is_some() || self.syncing.is_some();
        (self.is_new || !waits_for_us).then_some(self.session_deadline_ms)
    }
}
