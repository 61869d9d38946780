//! Removes what is too old or too much: by each topic's settings at an interval, and in memory
//! whenever the budget is exceeded.

use std::sync::Arc;

use tidings_log::RemovedSegment;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::blocking;
use crate::partition::{Partition, PartitionId};
use crate::shared::Shared;
use crate::topics::Topics;

/// Runs until the broker stops.
pub(crate) async fn run(broker: Arc<Shared>) {
    let mut stop = broker.stop.clone();
    let period = broker.config.retention_interval.max(std::time::Duration::from_millis(1));
    let mut due = interval_at(Instant::now() + period, period);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let in_memory = broker.config.data.is_none() && broker.config.storage.is_none();
    loop {
        tokio::select! {
            biased;
            () = stop.requested() => return,
            _ = due.tick() => {
                let (topics, now_ms) = (broker.topics.clone(), broker.clock.now_ms());
                blocking::run(move || retain(&topics, now_ms)).await;
            }
            () = broker.memory.look_due(), if in_memory => {
                let (topics, limit) = (broker.topics.clone(), broker.config.memory_limit_bytes);
                blocking::run(move || shrink(&topics, limit)).await;
            }
        }
    }
}

fn retain(topics: &Topics, now_ms: i64) {
    for topic in topics.all() {
        for (id, partition) in (0..).map(PartitionId).zip(topic.partitions().iter()) {
            for removed in partition.retain(now_ms) {
                report(&topic.name, id, &removed);
            }
        }
    }
}

/// Gives up the oldest segments of the largest partitions until the limit is kept.
fn shrink(topics: &Topics, limit_bytes: u64) {
    let mut all: Vec<(Arc<str>, PartitionId, Arc<Partition>, u64)> = Vec::new();
    for topic in topics.all() {
        for (id, partition) in (0..).map(PartitionId).zip(topic.partitions().iter()) {
            all.push((topic.name.clone(), id, partition.clone(), partition.size_bytes()));
        }
    }
    let mut total: u64 = all.iter().map(|(.., bytes)| bytes).sum();
    while total > limit_bytes {
        let Some((name, id, partition, bytes)) = all.iter_mut().max_by_key(|(.., bytes)| *bytes)
        else {
            return;
        };
        let Some(removed) = partition.shrink() else { return };
        report(name, *id, &removed);
        let now = partition.size_bytes();
        total = total - *bytes + now;
        if now >= *bytes {
            return;
        }
        *bytes = now;
    }
}

fn report(topic: &str, partition: PartitionId, removed: &RemovedSegment) {
    tracing::info!(
        topic,
        partition = partition.0,
        from = %removed.base,
        to = %removed.next,
        bytes = removed.bytes,
        reason = ?removed.reason,
        "segment removed"
    );
}
