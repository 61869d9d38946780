//! One assigned partition: its queue in the client, its tracker, and what is in work of it.

use std::sync::Arc;

use rdkafka::consumer::base_consumer::PartitionQueue;

use super::callbacks::Callbacks;
use super::tracker::Tracker;
use crate::lanes::Group;
use crate::lanes::place::{Phase, Place};

const STOPPED: &str = "tidings_partition_stopped";
const BEHIND: &str = "tidings_store_behind_records";

pub(super) struct Partition {
    pub(super) place: Arc<Place>,
    pub(super) queue: PartitionQueue<Callbacks>,
    pub(super) tracker: Tracker,
    /// Records handed to the lanes and not reported.
    pub(super) outstanding: usize,
    /// Something has finished since the last commit that was sent.
    pub(super) dirty: bool,
    /// It was part of a commit.
    pub(super) told: bool,
    /// Nothing more is read until somebody acts: the committed position is gone, or store and Kafka
    /// do not belong together.
    pub(super) stopped: bool,
    /// How often its position was moved on purpose, as the store knew when it was taken.
    pub(super) epoch: i64,
    /// The store was behind Kafka, which was here: what lies before is a replay.
    pub(super) replays_to: Option<i64>,
    /// The lag as it was last shown.
    pub(super) lag: u64,
}

impl Partition {
    pub(super) fn is(&self, topic: &str, partition: i32) -> bool {
        self.place.partition == partition && &*self.place.topic == topic
    }

    pub(super) fn drain(&self) {
        self.place.enter(Phase::Draining);
    }

    pub(super) fn cancel(&self) {
        self.place.enter(Phase::Cancelled);
    }

    /// Nothing more is read until somebody acts; the sentence says why, and what to do.
    pub(super) fn stop(&mut self, group: &Group, sentence: String) {
        let (topic, number) = (&*self.place.topic, self.place.partition);
        tracing::error!(group = group.name, topic, partition = number, "{sentence}");
        group.meters.stats().health().set(self.check_name(), Some(sentence));
        group.meters.partition_gauge(STOPPED, topic, number).set(1.0);
        self.stopped = true;
    }

    /// The store was behind Kafka.
    pub(super) fn replay(&mut self, group: &Group, to: i64, sentence: String) {
        let (topic, number) = (&*self.place.topic, self.place.partition);
        tracing::warn!(group = group.name, topic, partition = number, "{sentence}");
        group.meters.stats().health().note(self.check_name(), Some(sentence));
        self.replays_to = Some(to);
        self.replayed(group);
    }

    /// Says how much of a replay is left.
    pub(super) fn replayed(&mut self, group: &Group) {
        let Some(to) = self.replays_to else { return };
        let left = to.saturating_sub(self.tracker.position()).max(0);
        let (topic, number) = (&*self.place.topic, self.place.partition);
        group.meters.partition_gauge(BEHIND, topic, number).set(left as f64);
        if left == 0 {
            self.replays_to = None;
            group.meters.stats().health().note(self.check_name(), None);
            tracing::info!(group = group.name, topic, partition = number, "the store caught up");
        }
    }

    /// It belongs to somebody else now, and with it what was told of it.
    pub(super) fn forget(&self, group: &Group) {
        group.meters.stats().health().forget(&self.check_name());
        let (topic, number) = (&*self.place.topic, self.place.partition);
        if self.stopped {
            group.meters.partition_gauge(STOPPED, topic, number).set(0.0);
        }
        if self.replays_to.is_some() {
            group.meters.partition_gauge(BEHIND, topic, number).set(0.0);
        }
        self.show_lag(group, 0);
    }

    /// The name of its check in `/readyz?verbose`.
    pub(super) fn check_name(&self) -> String {
        format!("partition {}[{}]", self.place.topic, self.place.partition)
    }
}
