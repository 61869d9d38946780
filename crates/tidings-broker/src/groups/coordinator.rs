//! All groups of this broker with their offsets, the requests that wait, and what is due when.
//!
//! No I/O and no clock either: [`super::Groups`] owns one behind a lock, runs its deadlines and
//! writes its changes. A member is told its part of a generation when that generation is kept.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use tokio::sync::oneshot;

use super::group::{
    Bounds, Caller, Checked, Generation, Group, JoinRefused, JoinRequest, Joined, Reply,
    SyncRequest, Synced, Ticket,
};
use super::ids::{GroupName, InstanceId, MemberId};
use super::limits;
use super::offsets::{Change, Offsets};
use super::settings::GroupsConfig;

/// What a JoinGroup ends in.
pub(crate) type JoinAnswer = Result<Joined, JoinRefused>;

/// What a SyncGroup ends in.
pub(crate) type SyncAnswer = Result<Synced, ResponseError>;

/// All groups.
pub(super) struct Coordinator {
    config: GroupsConfig,
    groups: HashMap<GroupName, Entry>,
    waiting: HashMap<Ticket, Waiting>,
    tickets: u64,
    /// Generations that are to be kept; see [`Coordinator::take_settled`].
    settled: Vec<Change>,
    /// May hold times that have moved since; each group's `armed_ms` tells which one counts.
    deadlines: BinaryHeap<Reverse<(u64, GroupName)>>,
    offsets: usize,
}

pub(super) struct Entry {
    pub(super) group: Group,
    pub(super) offsets: Offsets,
    armed_ms: Option<u64>,
    /// The members as they are in the journal.
    kept: Option<Arc<Generation>>,
    /// How many generations are on their way into the journal.
    unkept: usize,
    /// Answers with a part of those.
    held: Vec<Reply>,
}

enum Waiting {
    Join(oneshot::Sender<JoinAnswer>),
    Sync(oneshot::Sender<SyncAnswer>),
}

impl Coordinator {
    pub(super) fn new(config: GroupsConfig) -> Coordinator {
        Coordinator {
            config,
            groups: HashMap::new(),
            waiting: HashMap::new(),
            tickets: 0,
            settled: Vec::new(),
            deadlines: BinaryHeap::new(),
            offsets: 0,
        }
    }

    /// A JoinGroup; the answer comes through the receiver, at once or later. `fresh_id` as for
    /// [`Group::join`].
    pub(super) fn join(
        &mut self,
        name: &GroupName,
        request: JoinRequest,
        fresh_id: MemberId,
        now_ms: u64,
    ) -> oneshot::Receiver<JoinAnswer> {
        let (answer, receiver) = oneshot::channel();
        let made = if request.member_id.is_empty() {
            self.make(name, now_ms)
        } else if self.groups.contains_key(name) {
            Ok(())
        } else {
            Err(ResponseError::UnknownMemberId)
        };
        if let Err(error) = made {
            let refused = JoinRefused { error, member_id: request.member_id };
            // The receiver is in this function's hands still.
            let _ = answer.send(Err(refused));
            return receiver;
        }
        let ticket = self.wait(Waiting::Join(answer));
        self.with(name, |group| group.join(request, fresh_id, ticket, now_ms));
        receiver
    }

    /// A SyncGroup; the answer comes through the receiver, at once or later.
    pub(super) fn sync(
        &mut self,
        name: &GroupName,
        request: SyncRequest,
        now_ms: u64,
    ) -> oneshot::Receiver<SyncAnswer> {
        let (answer, receiver) = oneshot::channel();
        if self.groups.contains_key(name) {
            let ticket = self.wait(Waiting::Sync(answer));
            self.with(name, |group| group.sync(request, ticket, now_ms));
        } else {
            let _ = answer.send(Err(ResponseError::UnknownMemberId));
        }
        receiver
    }

    pub(super) fn heartbeat(&mut self, name: &GroupName, caller: &Caller, now_ms: u64) -> Checked {
        self.with(name, |group| group.heartbeat(caller, now_ms))
            .unwrap_or(Err(ResponseError::UnknownMemberId))
    }

    pub(super) fn leave(
        &mut self,
        name: &GroupName,
        member: &MemberId,
        instance: Option<&InstanceId>,
        now_ms: u64,
    ) -> Checked {
        self.with(name, |group| group.leave(member, instance, now_ms))
            .unwrap_or(Err(ResponseError::UnknownMemberId))
    }

    /// Whether `caller` may commit; a group that is not there is made for those who need none.
    pub(super) fn may_commit(&mut self, name: &GroupName, caller: &Caller, now_ms: u64) -> Checked {
        if !self.groups.contains_key(name) {
            if caller.generation >= 0 {
                return Err(ResponseError::IllegalGeneration);
            }
            self.make(name, now_ms)?;
        }
        self.with(name, |group| group.may_commit(caller, now_ms)).unwrap_or(Ok(()))
    }

    /// Whether there is room for this committed position.
    pub(super) fn has_room(&self, group: &str, topic: &str, partition: i32) -> bool {
        let known = || self.groups.get(group)?.offsets.find(topic, partition);
        self.offsets < limits::MAX_OFFSETS || known().is_some()
    }

    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.groups.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&GroupName, &Entry)> {
        self.groups.iter()
    }

    /// Does what is due, and says when to come again.
    pub(super) fn tick(&mut self, now_ms: u64) -> Option<u64> {
        while let Some(Reverse((due_ms, _))) = self.deadlines.peek() {
            if *due_ms > now_ms {
                return Some(*due_ms);
            }
            let Some(Reverse((due_ms, name))) = self.deadlines.pop() else { break };
            let Some(entry) = self.groups.get_mut(&name) else { continue };
            if entry.armed_ms == Some(due_ms) {
                entry.armed_ms = None;
                self.with(&name, |group| group.tick(now_ms));
            }
        }
        None
    }

    /// When the next thing is due.
    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.peek().map(|Reverse((due_ms, _))| *due_ms)
    }

    /// Makes a change that the journal has.
    pub(super) fn apply(&mut self, change: Change, now_ms: u64) {
        match change {
            Change::Commit { group, topic, partition, committed } => {
                let entry = self.entry(GroupName::from(&*group), now_ms);
                if entry.offsets.put(topic, partition, committed) {
                    self.offsets += 1;
                }
            }
            Change::ForgetPartition { group, topic, partition } => {
                if let Some(entry) = self.groups.get_mut(&*group)
                    && entry.offsets.forget_partition(topic, partition)
                {
                    self.offsets -= 1;
                }
            }
            Change::ForgetGroup { group } => {
                if let Some(entry) = self.groups.get_mut(&*group) {
                    self.offsets -= std::mem::take(&mut entry.offsets).len();
                    if entry.group.is_vacant() {
                        self.groups.remove(&*group);
                    }
                }
            }
            Change::ForgetTopic { topic } => {
                for entry in self.groups.values_mut() {
                    self.offsets -= entry.offsets.forget_topic(&topic);
                }
            }
            Change::Settle { group, generation } => {
                self.entry(GroupName::from(&*group), now_ms).kept = Some(generation);
                self.release(&group, None);
            }
        }
    }

    /// Brings the members back that the journal's changes tell of.
    pub(super) fn restore(&mut self, now_ms: u64) {
        let names: Vec<GroupName> = self.groups.keys().cloned().collect();
        for name in names {
            let bounds = self.bounds();
            let Some(entry) = self.groups.get_mut(&name) else { continue };
            if let Some(kept) = &entry.kept {
                entry.group = Group::restore(bounds, kept, now_ms);
                // Nothing happens to the group, but from now on something is due.
                self.with(&name, |_| ());
            }
        }
    }

    /// The generations that were settled since the last time, to be kept: [`Coordinator::apply`]
    /// tells that one is, [`Coordinator::not_kept`] that it will not be.
    pub(super) fn take_settled(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.settled)
    }

    /// A generation of this group could not be kept: those who wait for it are told `error`, which
    /// makes them join again.
    pub(super) fn not_kept(&mut self, group: &str, error: ResponseError) {
        self.release(group, Some(error));
    }

    /// One generation less is on its way; after the last one the answers go out.
    fn release(&mut self, group: &str, error: Option<ResponseError>) {
        let Some(entry) = self.groups.get_mut(group) else { return };
        entry.unkept = entry.unkept.saturating_sub(1);
        if entry.unkept > 0 && error.is_none() {
            return;
        }
        for reply in std::mem::take(&mut entry.held) {
            let reply = match (reply, error) {
                (Reply::Sync(ticket, Ok(_)), Some(error)) => Reply::Sync(ticket, Err(error)),
                (reply, _) => reply,
            };
            answer(&mut self.waiting, reply);
        }
    }

    /// How many requests wait for their answer.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Everything that is kept as the changes that make it: what a rewritten journal holds.
    pub(super) fn all_changes(&self) -> impl Iterator<Item = Change> {
        self.groups.iter().flat_map(|(name, entry)| {
            let settled = entry.kept.iter().map(|generation| {
                let group = name.as_str().into();
                Change::Settle { group, generation: generation.clone() }
            });
            let commits =
                entry.offsets.iter().map(|(topic, partition, committed)| Change::Commit {
                    group: name.as_str().into(),
                    topic: topic.into(),
                    partition,
                    committed: committed.clone(),
                });
            settled.chain(commits)
        })
    }

    /// What is to be forgotten of groups that have had no members for the retention time: each
    /// position that was not committed since either. Groups without members and positions go.
    ///
    /// The time without members counts from the start of the broker at the earliest: it keeps
    /// rather too long than that it forgets what a service was about to come back to.
    pub(super) fn sweep(&mut self, now_ms: u64, wall_ms: i64) -> Vec<Change> {
        self.groups.retain(|_, entry| !(entry.group.is_vacant() && entry.offsets.is_empty()));
        let retention_ms = self.config.offsets_retention_ms;
        let old = i64::try_from(retention_ms).map_or(i64::MIN, |ms| wall_ms.saturating_sub(ms));
        let mut forgotten = Vec::new();
        for (name, entry) in &self.groups {
            let empty_since_ms = entry.group.empty_since_ms().unwrap_or(now_ms);
            if now_ms.saturating_sub(empty_since_ms) < retention_ms || !entry.group.is_vacant() {
                continue;
            }
            for (topic, partition, committed) in entry.offsets.iter() {
                if committed.committed_at_ms <= old {
                    let (group, topic) = (name.as_str().into(), topic.into());
                    forgotten.push(Change::ForgetPartition { group, topic, partition });
                }
            }
        }
        forgotten
    }

    /// What lowers each commit of a partition beyond `end` to it.
    pub(super) fn clamped(&self, topic: &str, partition: i32, end: i64) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, entry) in &self.groups {
            let Some(committed) = entry.offsets.find(topic, partition) else { continue };
            if committed.offset > end {
                let committed = super::offsets::Committed { offset: end, ..committed.clone() };
                let (group, topic) = (name.as_str().into(), topic.into());
                changes.push(Change::Commit { group, topic, partition, committed });
            }
        }
        changes
    }

    /// Answers everybody that waits: the coordinator goes away.
    pub(super) fn dissolve(&mut self, now_ms: u64) {
        let names: Vec<GroupName> = self.groups.keys().cloned().collect();
        for name in names {
            self.with(&name, |group| {
                group.dissolve(ResponseError::CoordinatorNotAvailable, now_ms);
            });
        }
    }

    fn make(&mut self, name: &GroupName, now_ms: u64) -> Checked {
        if !self.groups.contains_key(name) && self.groups.len() >= self.config.max_groups {
            self.groups.retain(|_, entry| !(entry.group.is_vacant() && entry.offsets.is_empty()));
            if self.groups.len() >= self.config.max_groups {
                return Err(ResponseError::PolicyViolation);
            }
        }
        self.entry(name.clone(), now_ms);
        Ok(())
    }

    fn entry(&mut self, name: GroupName, now_ms: u64) -> &mut Entry {
        let bounds = self.bounds();
        self.groups.entry(name).or_insert_with(|| Entry {
            group: Group::new(bounds, now_ms),
            offsets: Offsets::default(),
            armed_ms: None,
            kept: None,
            unkept: 0,
            held: Vec::new(),
        })
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            initial_rebalance_delay_ms: self.config.initial_rebalance_delay_ms,
            new_member_join_timeout_ms: limits::NEW_MEMBER_JOIN_TIMEOUT_MS,
            max_members: self.config.max_members,
        }
    }

    fn wait(&mut self, waiting: Waiting) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, waiting);
        ticket
    }

    /// Runs one step of a group, hands out what came of it, and notes when it is due again.
    fn with<T>(&mut self, name: &GroupName, step: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let entry = self.groups.get_mut(name)?;
        let outcome = step(&mut entry.group);
        if let Some(generation) = entry.group.take_settled() {
            entry.unkept += 1;
            let (group, generation) = (name.as_str().into(), Arc::new(generation));
            self.settled.push(Change::Settle { group, generation });
        }
        for reply in entry.group.take_replies() {
            match reply {
                Reply::Sync(_, Ok(_)) if entry.unkept > 0 => entry.held.push(reply),
                reply => answer(&mut self.waiting, reply),
            }
        }
        if let Some(due_ms) = entry.group.next_deadline_ms()
            && entry.armed_ms.is_none_or(|armed_ms| due_ms < armed_ms)
        {
            entry.armed_ms = Some(due_ms);
            self.deadlines.push(Reverse((due_ms, name.clone())));
        }
        Some(outcome)
    }
}

/// A receiver that is gone belongs to a connection that closed: the member will rejoin or expire.
fn answer(waiting: &mut HashMap<Ticket, Waiting>, reply: Reply) {
    match reply {
        Reply::Join(ticket, answer) => {
            if let Some(Waiting::Join(sender)) = waiting.remove(&ticket) {
                let _ = sender.send(answer);
            }
        }
        Reply::Sync(ticket, answer) => {
            if let Some(Waiting::Sync(sender)) = waiting.remove(&ticket) {
                let _ = sender.send(answer);
            }
        }
    }
}
