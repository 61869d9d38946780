//! JoinGroup: who comes in, who comes back, who takes over a stable name.

use kafka_protocol::error::ResponseError;

use super::member::{Member, Protocol};
use super::{Group, JoinRefused, Joined, JoinedMember, Phase, Ticket};
use crate::groups::ids::{InstanceId, MemberId, ProtocolName};
use crate::groups::subscription;

/// What a member says when it joins.
#[derive(Debug, Clone)]
pub(crate) struct JoinRequest {
    /// Empty if it has none yet.
    pub(crate) member_id: MemberId,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: u64,
    pub(crate) rebalance_timeout_ms: u64,
    pub(crate) protocol_type: ProtocolName,
    /// In the member's order of preference.
    pub(crate) protocols: Vec<Protocol>,
    /// From version 4 a member fetches its id first and joins with it, so that one whose answer
    /// was lost is not left behind as a ghost (KIP-394).
    pub(crate) fetches_id_first: bool,
    /// From version 9 a static leader can be told that the assignment stands (KIP-814).
    pub(crate) can_skip_assignment: bool,
}

impl Group {
    /// A JoinGroup. `fresh_id` is taken if the member needs an id; it must be one that was never
    /// used before.
    pub(crate) fn join(
        &mut self,
        request: JoinRequest,
        fresh_id: MemberId,
        ticket: Ticket,
        now_ms: u64,
    ) {
        let came_with = request.member_id.clone();
        let outcome = if !self.supports(&request) {
            Err(ResponseError::InconsistentGroupProtocol.into())
        } else if came_with.is_empty() {
            self.join_unknown(request, fresh_id, ticket, now_ms)
        } else {
            self.join_known(request, ticket, now_ms)
        };
        if let Err(Refusal { error, member_id }) = outcome {
            let member_id = member_id.unwrap_or(came_with);
            self.reply_join(ticket, Err(JoinRefused { error, member_id }));
        }
        self.try_complete_join(now_ms);
    }

    /// One that has no id: a new member, or a static one that was started again.
    fn join_unknown(
        &mut self,
        request: JoinRequest,
        fresh_id: MemberId,
        ticket: Ticket,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        if let Some(instance) = &request.instance
            && let Some(old) = self.instances.get(instance).cloned()
        {
            self.replace_static(&old, fresh_id, request, ticket, now_ms);
            return Ok(());
        }
        if self.members.len() + self.expected.len() >= self.bounds.max_members {
            return Err(ResponseError::GroupMaxSizeReached.into());
        }
        if request.instance.is_none() && request.fetches_id_first {
            self.expected.insert(fresh_id.clone(), now_ms + request.session_timeout_ms);
            let member_id = Some(fresh_id);
            return Err(Refusal { error: ResponseError::MemberIdRequired, member_id });
        }
        self.add_member(fresh_id, request, ticket, now_ms);
        Ok(())
    }

    /// One that has an id: it was told to come back with it, or it is a member that rejoins.
    fn join_known(
        &mut self,
        request: JoinRequest,
        ticket: Ticket,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        if request.instance.is_none() && self.expected.remove(&request.member_id).is_some() {
            self.add_member(request.member_id.clone(), request, ticket, now_ms);
            return Ok(());
        }
        self.check_member(&request.member_id, request.instance.as_ref())?;
        let id = request.member_id.clone();
        let is_leader = self.leader.as_ref() == Some(&id);
        let unchanged = self.members[&id].protocols == request.protocols;
        let answer_again = match self.phase {
            // The answer to its last JoinGroup was lost: it gets the same one again.
            Phase::Completing { .. } => unchanged,
            // The leader rejoins because it saw a reason for a new assignment.
            Phase::Stable { .. } => unchanged && !is_leader,
            Phase::Empty | Phase::Preparing(_) => false,
        };
        if answer_again {
            let members = if is_leader { self.roster() } else { Vec::new() };
            let joined = self.joined(&id, members, false);
            self.reply_join(ticket, Ok(joined));
            self.member(&id).touch(now_ms);
            return Ok(());
        }
        self.update_member(&id, request, ticket);
        if !matches!(self.phase, Phase::Preparing(_)) {
            self.prepare_rebalance(now_ms);
        }
        Ok(())
    }

    fn add_member(&mut self, id: MemberId, request: JoinRequest, ticket: Ticket, now_ms: u64) {
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type);
        }
        if let Some(instance) = &request.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.arrivals += 1;
        let member = Member {
            id: id.clone(),
            instance: request.instance,
            client_id: request.client_id,
            client_host: request.client_host,
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            protocols: request.protocols,
            assignment: Default::default(),
            arrival: self.arrivals,
            session_deadline_ms: now_ms.saturating_add(self.bounds.new_member_join_timeout_ms),
            is_new: true,
            synced: false,
            joining: Some(ticket),
            syncing: None,
        };
        self.members.insert(id, member);
        match &mut self.phase {
            Phase::Preparing(gathering) => {
                if let Some(initial) = &mut gathering.initial {
                    initial.grew = true;
                }
            }
            _ => self.prepare_rebalance(now_ms),
        }
    }

    /// The bearer of a stable name was started again. In a stable group whose work it does not
    /// change it takes over where it left off; the old bearer is fenced.
    ///
    /// Apache Kafka looks at the protocol's name only: there, a member that comes back with other
    /// topics reads none of the new ones until something else sets off a rebalance. Here it does.
    fn replace_static(
        &mut self,
        old: &MemberId,
        id: MemberId,
        request: JoinRequest,
        ticket: Ticket,
        now_ms: u64,
    ) {
        let can_skip = request.can_skip_assignment;
        let leader_before = self.leader.clone();
        let mut member = self.members.remove(old).expect("a stable name points to a member");
        self.fence(old, &mut member);
        if self.leader.as_ref() == Some(old) {
            self.leader = Some(id.clone());
        }
        if let Some(instance) = &request.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        let same_work = self.protocol_type.as_ref().is_some_and(|kind| {
            subscription::same_work(kind.as_str(), &member.protocols, &request.protocols)
        });
        member.id = id.clone();
        self.members.insert(id.clone(), member);
        self.update_member(&id, request, ticket);
        self.member(&id).touch(now_ms);
        match self.phase {
            Phase::Stable { .. } if same_work && self.protocol == self.elect_protocol() => {
                self.member(&id).joining = None;
                self.settled = true;
                let is_leader = self.leader.as_ref() == Some(&id);
                let members = if is_leader && can_skip { self.roster() } else { Vec::new() };
                let mut joined = self.joined(&id, members, is_leader && can_skip);
                if is_leader && !can_skip {
                    // Told of its old id, it does not take itself for the leader and computes no
                    // assignment, which a stable group would not hand out.
                    joined.leader = leader_before.expect("a leader was replaced");
                }
                self.reply_join(ticket, Ok(joined));
            }
            // Someone is about to be given work under the old id, so all come again.
            Phase::Stable { .. } | Phase::Completing { .. } => self.prepare_rebalance(now_ms),
            Phase::Preparing(_) | Phase::Empty => {}
        }
    }

    /// Tells whoever still waits under an old member id that its name has passed on.
    fn fence(&mut self, old: &MemberId, member: &mut Member) {
        let error = ResponseError::FencedInstanceId;
        if let Some(waiting) = member.joining.take() {
            self.reply_join(waiting, Err(JoinRefused { error, member_id: old.clone() }));
        }
        if let Some(waiting) = member.syncing.take() {
            self.reply_sync(waiting, Err(error));
        }
    }

    fn update_member(&mut self, id: &MemberId, request: JoinRequest, ticket: Ticket) {
        let member = self.member(id);
        member.client_id = request.client_id;
        member.client_host = request.client_host;
        member.session_timeout_ms = request.session_timeout_ms;
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        member.protocols = request.protocols;
        let repeated = member.joining.replace(ticket);
        if let Some(older) = repeated {
            // The client gave up on that connection; whoever still listens there may retry.
            let error = ResponseError::RebalanceInProgress;
            self.reply_join(older, Err(JoinRefused { error, member_id: id.clone() }));
        }
    }

    /// Whether there is a protocol that this one and all members know.
    fn supports(&self, request: &JoinRequest) -> bool {
        if self.members.is_empty() {
            return !request.protocol_type.is_empty() && !request.protocols.is_empty();
        }
        self.protocol_type.as_ref() == Some(&request.protocol_type)
            && request
                .protocols
                .iter()
                .any(|protocol| self.members.values().all(|member| member.knows(&protocol.name)))
    }

    /// The present generation, as the member `id` is told of it.
    pub(super) fn joined(
        &self,
        id: &MemberId,
        members: Vec<JoinedMember>,
        skip_assignment: bool,
    ) -> Joined {
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| "".into()),
            protocol: self.protocol.clone().unwrap_or_else(|| "".into()),
            leader: self.leader.clone().unwrap_or_else(|| "".into()),
            member_id: id.clone(),
            skip_assignment,
            members,
        }
    }

    /// All members with what they told about the chosen protocol, for the leader.
    pub(super) fn roster(&self) -> Vec<JoinedMember> {
        let Some(protocol) = &self.protocol else { return Vec::new() };
        self.members
            .values()
            .map(|member| JoinedMember {
                id: member.id.clone(),
                instance: member.instance.clone(),
                metadata: member.metadata(protocol),
            })
            .collect()
    }

    pub(super) fn member(&mut self, id: &MemberId) -> &mut Member {
        self.members.get_mut(id).expect("callers have checked that it is a member")
    }
}

/// Why a JoinGroup is answered with an error.
struct Refusal {
    error: ResponseError,
    /// Another id than the one that it came with.
    member_id: Option<MemberId>,
}

impl From<ResponseError> for Refusal {
    fn from(error: ResponseError) -> Self {
        Refusal { error, member_id: None }
    }
}
