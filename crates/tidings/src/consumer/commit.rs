//! Committing: the lowest unfinished offset of each partition, with what is finished beyond it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::Offset;

use super::courier::Load;
use super::positions::Failed;
use super::{Consumer, Partition};
use crate::lanes::Group;
use crate::progress::{Progress, STORE_BYTES, StoreId};
use crate::service::limits::COMMIT_INTERVAL;
use crate::stored::Position;

/// When commits are sent, and what they say about handlers.
pub(super) struct Commits {
    /// The names of this group's handlers, sorted.
    pub(super) handlers: Arc<[String]>,
    /// What the names, and the store's id, take of the metadata.
    pub(super) names_bytes: usize,
    /// Which store the service has, if it has one.
    pub(super) store: Option<StoreId>,
    /// How often outages had begun or ended, as the last commit told it.
    outages: u64,
    sent_at: Option<Instant>,
    in_flight: bool,
    dirty: bool,
}

impl Commits {
    pub(super) fn new(group: &Group, store: Option<StoreId>) -> Commits {
        let mut handlers: Vec<String> =
            group.router.handlers.iter().map(|handler| handler.name.to_owned()).collect();
        handlers.sort();
        let names_bytes = crate::progress::names_bytes(handlers.iter().map(String::as_str));
        let names_bytes = names_bytes + store.map_or(0, |_| STORE_BYTES);
        let handlers = handlers.into();
        Commits {
            handlers,
            names_bytes,
            store,
            outages: group.outages.changes(),
            sent_at: None,
            in_flight: false,
            dirty: false,
        }
    }

    /// How long until the next commit may go; `None` while there is nothing to commit, or while
    /// the last one is unanswered: its answer wakes the thread.
    pub(super) fn due_in(&self) -> Option<Duration> {
        let waits = (self.dirty && !self.in_flight).then(|| self.sent_at.map(|at| at.elapsed()));
        waits.map(|since| since.map_or(Duration::ZERO, |at| COMMIT_INTERVAL.saturating_sub(at)))
    }
}

impl Consumer {
    /// Sends what has changed, one request at a time.
    pub(super) fn commit_if_due(&mut self) {
        self.notice_outages();
        self.commits.dirty = self.partitions.iter().any(|partition| partition.dirty);
        if self.commits.due_in() != Some(Duration::ZERO) {
            return;
        }
        let load = self.load(|_| true);
        self.commits.in_flight = true;
        self.commits.sent_at = Some(Instant::now());
        self.commits.dirty = false;
        if !self.courier.send(load) {
            self.commits.in_flight = false;
            self.commit_again();
        }
    }

    /// What a handler depends on has gone away, or has come back: the commits say so, although
    /// nothing may have finished since the last ones.
    fn notice_outages(&mut self) {
        let outages = self.group.outages.changes();
        if std::mem::replace(&mut self.commits.outages, outages) == outages {
            return;
        }
        for partition in &mut self.partitions {
            partition.dirty |= partition.told || partition.outstanding > 0;
        }
    }

    /// Commits everything and waits for the answer.
    pub(super) fn commit_now(&mut self) {
        self.commit_some(|_| true);
    }

    /// Commits these partitions and waits for the answer: before they are given back.
    pub(super) fn commit_some(&mut self, which: impl Fn(&Partition) -> bool) {
        let load = self.load(which);
        if load.list.count() == 0 {
            return;
        }
        if let Some(Err(error)) = self.courier.bring(load) {
            self.commit_failed(&error);
        }
    }

    /// The answer to a commit that was sent.
    pub(super) fn committed(&mut self, result: Result<(), Failed>) {
        self.commits.in_flight = false;
        if let Err(error) = result {
            self.commit_failed(&error);
        }
    }

    /// Commits are only ever too old, never wrong: the next one says the same and more.
    fn commit_failed(&mut self, error: &Failed) {
        self.commit_again();
        let moving = matches!(
            error.code(),
            Some(
                RDKafkaErrorCode::RebalanceInProgress
                    | RDKafkaErrorCode::IllegalGeneration
                    | RDKafkaErrorCode::UnknownMemberId
                    | RDKafkaErrorCode::NoOffset
                    | RDKafkaErrorCode::AssignmentLost
            )
        );
        if moving {
            tracing::debug!(group = self.group.name, %error, "the commit waits for the rebalance");
        } else {
            let group = &self.group.name;
            let what = format!("the commit of group {group} failed");
            self.link.say(&what, format_args!("{what}, and is repeated: {error}"));
        }
    }

    /// What has been in a commit, that is. The others, one that is stopped among them, have nothing
    /// to say, and what they were found with must stay.
    fn commit_again(&mut self) {
        for partition in &mut self.partitions {
            partition.dirty |= partition.told;
        }
    }

    /// What is to be committed of the partitions that have changed; they count as clean then.
    fn load(&mut self, which: impl Fn(&Partition) -> bool) -> Load {
        let mut load = Load::default();
        let outages = self.group.outages.lasting();
        for partition in self.partitions.iter_mut().filter(|p| p.dirty && which(p)) {
            (partition.dirty, partition.told) = (false, true);
            let progress = partition.tracker.progress(self.commits.handlers.to_vec());
            let (store, outages) = (self.commits.store, outages.clone());
            let progress = Progress { store, outages, ..progress };
            let (topic, number) = (&*partition.place.topic, partition.place.partition);
            let mut entry = load.list.add_partition(topic, number);
            // Offsets of fetched records are never negative, which is all that is refused.
            if entry.set_offset(Offset::Offset(progress.committed)).is_ok() {
                entry.set_metadata(progress.encode());
            }
            if self.positions.is_some() {
                load.positions.push(Position {
                    topic: topic.to_owned(),
                    partition: number,
                    next: progress.committed,
                    cluster: self.cluster.clone(),
                    epoch: partition.epoch,
                });
            }
            partition.replayed(&self.group);
        }
        load
    }
}
