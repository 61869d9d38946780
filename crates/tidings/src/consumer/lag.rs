//! How far behind each partition is, from the client's own statistics: no request is made for it.

use rdkafka::statistics::Statistics;

use super::{Consumer, Partition};
use crate::lanes::Group;

impl Consumer {
    pub(super) fn take_statistics(&mut self, statistics: &Statistics) {
        for partition in &mut self.partitions {
            let topic = statistics.topics.get(&*partition.place.topic);
            let known = topic.and_then(|topic| topic.partitions.get(&partition.place.partition));
            // The last stable offset is how far a consumer may read; -1001 means not known yet.
            if let Some(end) = known.map(|known| known.ls_offset).filter(|end| *end >= 0) {
                let lag = u64::try_from(end - partition.tracker.position()).unwrap_or(0);
                partition.lag = partition.show_lag(&self.group, lag);
            }
        }
    }
}

impl Partition {
    /// Shows this lag in place of the last one.
    pub(super) fn show_lag(&self, group: &Group, lag: u64) -> u64 {
        let name = "tidings_consumer_lag_records";
        let gauge = group.meters.partition_gauge(name, &self.place.topic, self.place.partition);
        gauge.set(lag as f64);
        group.meters.stats().lag_changed(self.lag, lag);
        lag
    }
}
