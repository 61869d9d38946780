//! Giving partitions back: stop taking, let what runs end, commit, and only then answer. What was
//! lost already belongs to somebody else: cancel, and commit nothing.

use std::time::Instant;

use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::Consumer;
use crate::service::limits::REVOKE_DRAIN;

/// A revocation under way.
pub(super) struct Revocation {
    list: TopicPartitionList,
    /// Assignment numbers of the partitions.
    assignments: Vec<u64>,
    deadline: Option<Instant>,
}

impl Revocation {
    pub(super) fn new(list: TopicPartitionList) -> Revocation {
        Revocation { list, assignments: Vec::new(), deadline: None }
    }
}

impl Consumer {
    /// Goes on with a revocation. Returns whether it is done.
    pub(super) fn revoke(&mut self, revocation: &mut Revocation) -> bool {
        if revocation.deadline.is_none() {
            self.begin_revoke(revocation);
        }
        let lost = self.client.assignment_lost();
        let ours = |assignment: &u64| revocation.assignments.contains(assignment);
        let mut partitions =
            self.partitions.iter().filter(|partition| ours(&partition.place.assignment));
        let drained = partitions.all(|partition| partition.outstanding == 0);
        let late = revocation.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if !drained && !late && !lost {
            return false;
        }
        if lost {
            tracing::warn!(group = self.group.name, "partitions were lost: nothing is committed");
            self.courier.forget();
        } else {
            if late && !drained {
                tracing::warn!(
                    group = self.group.name,
                    "handlers still ran {} s after their partitions were taken away: cancelled",
                    REVOKE_DRAIN.as_secs(),
                );
            }
            let assignments = revocation.assignments.clone();
            self.commit_some(|partition| assignments.contains(&partition.place.assignment));
            self.courier.wait();
        }
        self.give_back(revocation, lost);
        true
    }

    fn begin_revoke(&mut self, revocation: &mut Revocation) {
        revocation.deadline = Some(Instant::now() + REVOKE_DRAIN);
        for entry in revocation.list.elements() {
            let is_it = |p: &&super::Partition| p.is(entry.topic(), entry.partition());
            if let Some(partition) = self.partitions.iter().find(is_it) {
                partition.drain();
                revocation.assignments.push(partition.place.assignment);
            }
        }
    }

    fn give_back(&mut self, revocation: &Revocation, lost: bool) {
        self.partitions.retain(|partition| {
            let stays = !revocation.assignments.contains(&partition.place.assignment);
            if !stays {
                partition.cancel();
                let (topic, number) = (&*partition.place.topic, partition.place.partition);
                let assignment = partition.place.assignment;
                tracing::debug!(
                    topic,
                    partition = number,
                    assignment,
                    lost,
                    "gave a partition back"
                );
                partition.forget(&self.group);
            }
            stays
        });
        let answer = match self.client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.client.incremental_unassign(&revocation.list),
            _ => self.client.unassign(),
        };
        match answer {
            Ok(()) => tracing::info!(
                group = self.group.name,
                partitions = revocation.assignments.len(),
                "gave partitions back",
            ),
            Err(error) => {
                tracing::error!(group = self.group.name, %error, "cannot give partitions back");
            }
        }
    }
}
