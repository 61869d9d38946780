//! What the tests of services share: events, services that run beside the test, and waiting for
//! what must come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use serde::{Deserialize, Serialize};
use tidings::cloudevents::Record;
use tidings::config::Origin;
use tidings::prelude::*;
use tidings::{Offset, PartitionId, Snapshot, Stats};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::broker::Broker;

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[event(type = "test.order.placed", version = 1, topic = "orders", key = key)]
pub struct Placed {
    pub key: String,
    pub n: u32,
}

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[event(type = "test.payment.taken", version = 1, topic = "payments", key = key)]
pub struct Taken {
    pub key: String,
    pub n: u32,
}

pub fn placed(key: &str, n: u32) -> Placed {
    Placed { key: key.into(), n }
}

/// Long enough for a slow machine; tests wait for what comes, not for this.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until it is so.
#[track_caller]
pub fn until<'a>(
    what: &'a str,
    mut is_so: impl FnMut() -> bool + 'a,
) -> impl Future<Output = ()> + 'a {
    let at = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what} did not come ({at})");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A service that runs beside the test.
pub struct Running {
    pub stats: Stats,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<tidings::Result<()>>,
}

impl Running {
    /// Starts it on this broker.
    pub fn start(service: Service, broker: &Broker) -> Running {
        Running::start_with(service, broker, &[])
    }

    /// Starts it with settings of its own.
    pub fn start_with(service: Service, broker: &Broker, more: &[(&str, &str)]) -> Running {
        let mut settings = broker.settings();
        for (name, value) in more {
            settings.set(name, *value, Origin::Code).unwrap();
        }
        let stats = service.stats();
        let (stop, stopped) = oneshot::channel::<()>();
        let service = service.settings(settings);
        let task = tokio::spawn(service.run_until(async {
            let _ = stopped.await;
        }));
        Running { stats, stop: Some(stop), task }
    }

    pub fn now(&self) -> Snapshot {
        self.stats.snapshot()
    }

    /// Waits until it has its partitions.
    pub async fn ready(self) -> Running {
        until("readiness", || {
            assert!(!self.task.is_finished(), "the service ended: {:?}", self.now());
            self.now().ready
        })
        .await;
        self
    }

    /// Stops it as SIGTERM would, and returns how it ended.
    pub async fn stop(mut self) -> tidings::Result<()> {
        let _ = self.stop.take().map(|stop| stop.send(()));
        (&mut self.task).await.unwrap()
    }

    /// As far as can be seen from outside what kill -9 does: nothing more is committed.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// How it ended by itself.
    pub async fn ended(self) -> tidings::Result<()> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").unwrap()
    }
}

/// What handlers have seen, in order.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<(String, u32)>>>);

impl Seen {
    pub fn add(&self, key: &str, n: u32) {
        self.0.lock().unwrap().push((key.to_owned(), n));
    }

    pub fn all(&self) -> Vec<(String, u32)> {
        self.0.lock().unwrap().clone()
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn of(&self, key: &str) -> Vec<u32> {
        let seen = self.0.lock().unwrap();
        seen.iter().filter(|(k, _)| k == key).map(|(_, n)| *n).collect()
    }

    pub fn count(&self, key: &str, n: u32) -> usize {
        self.of(key).iter().filter(|m| **m == n).count()
    }
}

/// Everything in a topic, read by a client that knows nothing of us.
pub fn records(broker: &Broker, topic: &str) -> Vec<Record> {
    let consumer: BaseConsumer = broker.settings().client().create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
    partitions.into_iter().flat_map(|p| partition_records(broker, topic, p)).collect()
}

fn partition_records(broker: &Broker, topic: &str, partition: i32) -> Vec<Record> {
    let mut config = broker.settings().client();
    config.set("group.id", "onlooker").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let (start, end) = consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset(topic, partition, rdkafka::Offset::Offset(start)).unwrap();
    consumer.assign(&list).unwrap();
    let mut found = Vec::new();
    while start + (found.len() as i64) < end {
        let message = consumer.poll(PATIENCE).expect("a record").unwrap();
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            let owned = |value: &[u8]| bytes::Bytes::copy_from_slice(value);
            headers.iter().map(|h| (h.key.to_owned(), h.value.map(owned))).collect()
        });
        found.push(Record {
            topic: topic.to_owned(),
            partition: PartitionId(partition),
            offset: Offset(message.offset()),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(bytes::Bytes::copy_from_slice),
            value: message.payload().map(bytes::Bytes::copy_from_slice),
            headers,
        });
    }
    found
}

/// The committed offsets of a group with their metadata, by partition.
pub fn committed(broker: &Broker, group: &str, topic: &str) -> BTreeMap<i32, (i64, String)> {
    let mut config = broker.settings().client();
    let consumer: BaseConsumer = config.set("group.id", group).create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition(topic, partition.id());
    }
    let list = consumer.committed_offsets(list, PATIENCE).unwrap();
    let entries = list.elements();
    let committed = entries.iter().filter_map(|entry| match entry.offset() {
        rdkafka::Offset::Offset(offset) => {
            Some((entry.partition(), (offset, entry.metadata().to_owned())))
        }
        _ => None,
    });
    committed.collect()
}
