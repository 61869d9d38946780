//! One assigned partition: its queue in the client, its tracker, and what is in work of it.

use std::sync::Arc;

use rdkafka::consumer::base_consumer::PartitionQueue;

use super::callbacks::Callbacks;
use super::tracker::Tracker;
use crate::lanes::place::{Phase, Place};

pub(super) struct Partition {
    pub(super) place: Arc<Place>,
    pub(super) queue: PartitionQueue<Callbacks>,
    pub(super) tracker: Tracker,
    /// Records handed to the lanes and not reported.
    pub(super) outstanding: usize,
    /// Something has finished since the last commit that was sent.
    pub(super) dirty: bool,
    /// The committed position is gone: nothing more is read until somebody acts.
    pub(super) stopped: bool,
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

    /// The name of its check in `/readyz?verbose`.
    pub(super) fn check_name(&self) -> String {
        format!("partition {}[{}]", self.place.topic, self.place.partition)
    }
}
