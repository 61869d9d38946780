//! Who is still there: heartbeats, leaving, expiry; and who may commit offsets.

use kafka_protocol::error::ResponseError;

use super::{Caller, Checked, Group, JoinRefused, Phase};
use crate::groups::ids::{InstanceId, MemberId};

impl Group {
    /// A Heartbeat; `REBALANCE_IN_PROGRESS` asks the member to join again.
    pub(crate) fn heartbeat(&mut self, caller: &Caller, now_ms: u64) -> Checked {
        self.check_generation(caller)?;
        self.member(&caller.member_id).touch(now_ms);
        match self.phase {
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::Preparing(_) => Err(ResponseError::RebalanceInProgress),
            Phase::Completing { .. } | Phase::Stable { .. } => Ok(()),
        }
    }

    /// One member's LeaveGroup. Without a member id but with a stable name it is an operator who
    /// removes whoever bears that name (KIP-345).
    pub(crate) fn leave(
        &mut self,
        id: &MemberId,
        instance: Option<&InstanceId>,
        now_ms: u64,
    ) -> Checked {
        let leaving = if id.is_empty() {
            let bearer = instance.and_then(|instance| self.instances.get(instance));
            bearer.cloned().ok_or(ResponseError::UnknownMemberId)?
        } else if instance.is_none() && self.expected.remove(id).is_some() {
            self.try_complete_join(now_ms);
            return Ok(());
        } else {
            self.check_member(id, instance)?;
            id.clone()
        };
        self.remove_member(&leaving);
        self.rebalance_without(now_ms);
        Ok(())
    }

    /// Whether `caller` may commit offsets; a sign of life if it is a member.
    ///
    /// A group without members takes commits of generation -1 from anyone: that is how consumers
    /// that assign their partitions themselves, and tools, keep their offsets.
    pub(crate) fn may_commit(&mut self, caller: &Caller, now_ms: u64) -> Checked {
        if caller.generation < 0 && matches!(self.phase, Phase::Empty) {
            return Ok(());
        }
        let says_who = !caller.member_id.is_empty() || caller.instance.is_some();
        if caller.generation < 0 && !says_who {
            // Only members may commit to a group that has members.
            return Err(ResponseError::UnknownMemberId);
        }
        self.check_generation(caller)?;
        self.member(&caller.member_id).touch(now_ms);
        match self.phase {
            // The member knows the generation but not yet its part: it has nothing to commit.
            Phase::Completing { .. } => Err(ResponseError::RebalanceInProgress),
            Phase::Empty | Phase::Preparing(_) | Phase::Stable { .. } => Ok(()),
        }
    }

    /// Gives up whoever and whatever is due at `now_ms`.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        let before = self.expected.len();
        self.expected.retain(|_, deadline_ms| *deadline_ms > now_ms);
        if self.expected.len() < before {
            self.try_complete_join(now_ms);
        }
        self.expire_sessions(now_ms);
        match self.phase {
            Phase::Preparing(ref gathering) if gathering.deadline_ms <= now_ms => {
                self.gathering_expired(now_ms);
            }
            Phase::Completing { sync_deadline_ms } | Phase::Stable { sync_deadline_ms }
                if sync_deadline_ms <= now_ms =>
            {
                self.expire_unsynced(now_ms);
            }
            _ => {}
        }
    }

    /// Answers everybody that waits with `error` and has no members any more.
    pub(crate) fn dissolve(&mut self, error: ResponseError, now_ms: u64) {
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for id in ids {
            self.remove_member_with(&id, error);
        }
        self.expected.clear();
        self.leader = None;
        self.protocol = None;
        self.empty_since_ms = now_ms;
        self.phase = Phase::Empty;
    }

    fn expire_sessions(&mut self, now_ms: u64) {
        let due: Vec<MemberId> = self
            .members
            .values()
            .filter(|member| member.expiry_ms().is_some_and(|deadline_ms| deadline_ms <= now_ms))
            .map(|member| member.id.clone())
            .collect();
        if due.is_empty() {
            return;
        }
        for id in due {
            self.remove_member(&id);
        }
        self.rebalance_without(now_ms);
    }

    /// Members that joined but never fetched their assignment hold up the others' work.
    fn expire_unsynced(&mut self, now_ms: u64) {
        let missing: Vec<MemberId> =
            self.members.values().filter(|m| !m.synced).map(|m| m.id.clone()).collect();
        if missing.is_empty() {
            return;
        }
        for id in missing {
            self.remove_member(&id);
        }
        self.rebalance_without(now_ms);
    }

    /// A member is gone: the others divide its work.
    fn rebalance_without(&mut self, now_ms: u64) {
        match self.phase {
            // Those that are expected may come to an empty group as well: nobody waits for them.
            Phase::Completing { .. } | Phase::Stable { .. } if self.members.is_empty() => {
                self.become_empty(now_ms);
            }
            Phase::Completing { .. } | Phase::Stable { .. } => self.prepare_rebalance(now_ms),
            Phase::Preparing(_) => self.try_complete_join(now_ms),
            Phase::Empty => {}
        }
    }

    pub(super) fn remove_member(&mut self, id: &MemberId) {
        self.remove_member_with(id, ResponseError::UnknownMemberId);
    }

    fn remove_member_with(&mut self, id: &MemberId, error: ResponseError) {
        let Some(member) = self.members.remove(id) else { return };
        if let Some(instance) = &member.instance
            && self.instances.get(instance) == Some(id)
        {
            self.instances.remove(instance);
        }
        if let Some(ticket) = member.joining {
            self.reply_join(ticket, Err(JoinRefused { error, member_id: id.clone() }));
        }
        if let Some(ticket) = member.syncing {
            self.reply_sync(ticket, Err(error));
        }
        if self.leader.as_ref() == Some(id) {
            let eldest = self.members.values().min_by_key(|member| member.arrival);
            self.leader = eldest.map(|member| member.id.clone());
        }
    }
}
