//! The records of the storm, and a witness beside the group who asks the broker, again and again,
//! what is committed: an offset that goes back is seen where it counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tidings::Event as _;

use super::RECORDS_PER_SECOND;
use super::member::Drop;
use crate::Outcome;

/// Enough for each partition to have several, few enough that each has a story to tell.
const KEYS: u64 = 240;
const ASK_EVERY: Duration = Duration::from_millis(40);
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Producer and witness at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    producer: JoinHandle<Outcome>,
    witness: JoinHandle<Outcome<usize>>,
    asks: BaseConsumer,
    topic: &'static str,
    partitions: usize,
}

/// What lies in the topic, and what the witness saw.
#[derive(Debug)]
pub(super) struct Produced {
    pub(super) ends: Vec<i64>,
    pub(super) went_back: usize,
}

/// Creates the topic; one that is there already belongs to another storm.
pub(super) fn create_topic(bootstrap: &str, topic: &str, partitions: usize) -> Outcome {
    let admin: AdminClient<_> = config(bootstrap).create()?;
    let new = NewTopic::new(topic, i32::try_from(partitions)?, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(CALL_LIMIT));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for created in runtime.block_on(admin.create_topics([&new], &options))? {
        created.map_err(|(topic, code)| format!("cannot create the topic {topic}: {code}"))?;
    }
    Ok(())
}

/// A client that asks for a group without being in it.
pub(super) fn group_client(bootstrap: &str, group: &str) -> Outcome<BaseConsumer> {
    Ok(config(bootstrap).set("group.id", group).create()?)
}

/// What the group has committed; 0 where it has not.
pub(super) fn committed(asks: &BaseConsumer, topic: &str, partitions: usize) -> Outcome<Vec<i64>> {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, i32::try_from(partitions)? - 1);
    let answer = asks.committed_offsets(list, CALL_LIMIT)?;
    let mut offsets = vec![0; partitions];
    for entry in answer.elements() {
        entry.error()?;
        if let Offset::Offset(offset) = entry.offset() {
            offsets[usize::try_from(entry.partition())?] = offset;
        }
    }
    Ok(offsets)
}

impl Load {
    pub(super) fn start(
        bootstrap: &str,
        topic: &'static str,
        group: &str,
        partitions: usize,
    ) -> Outcome<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let sends = config(bootstrap)
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .create()?;
        let (asks, watches) = (group_client(bootstrap, group)?, group_client(bootstrap, group)?);
        let until = Arc::clone(&stop);
        let producer = thread::spawn(move || produce(&sends, topic, &until));
        let until = Arc::clone(&stop);
        let witness = thread::spawn(move || watch(&watches, topic, partitions, &until));
        Ok(Self { stop, producer, witness, asks, topic, partitions })
    }

    /// No more records; what was sent is acknowledged.
    pub(super) fn stop(self) -> Outcome<Produced> {
        self.stop.store(true, Ordering::Relaxed);
        self.producer.join().map_err(|_| "the producer panicked")??;
        let went_back = self.witness.join().map_err(|_| "the witness panicked")??;
        let mut ends = Vec::new();
        for partition in 0..i32::try_from(self.partitions)? {
            ends.push(self.asks.fetch_watermarks(self.topic, partition, CALL_LIMIT)?.1);
        }
        Ok(Produced { ends, went_back })
    }
}

/// At a steady rate, each an event that members understand.
fn produce(
    sends: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    stop: &AtomicBool,
) -> Outcome {
    let (began, mut sent) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        let due = began.elapsed().as_millis() as u64 * RECORDS_PER_SECOND / 1_000;
        while sent < due {
            let drop = Drop { key: u32::try_from(sent * 7 % KEYS)? };
            let (key, value, id) = (drop.key.to_string(), drop.encode()?, sent.to_string());
            let headers = [
                ("content-type", "application/json"),
                ("ce_specversion", "1.0"),
                ("ce_source", "/storm"),
                ("ce_type", Drop::WIRE_TYPE),
                ("ce_id", &id),
            ];
            let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header { key, value: Some(*value) })
            });
            let record = BaseRecord::to(topic).key(&key).payload(&value[..]).headers(headers);
            sends.send(record).map_err(|(error, _)| error)?;
            sent += 1;
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(sends.flush(CALL_LIMIT)?)
}

/// Counts committed offsets that are lower than they were.
fn watch(
    watches: &BaseConsumer,
    topic: &str,
    partitions: usize,
    stop: &AtomicBool,
) -> Outcome<usize> {
    let (mut highest, mut went_back) = (vec![0; partitions], 0);
    while !stop.load(Ordering::Relaxed) {
        // A coordinator that is not there yet is asked again.
        if let Ok(now) = committed(watches, topic, partitions) {
            went_back += now.iter().zip(&highest).filter(|(now, before)| now < before).count();
            highest = now;
        }
        thread::sleep(ASK_EVERY);
    }
    Ok(went_back)
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}
