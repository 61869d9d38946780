//! Members of a group that read and commit what they have read, as services do.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::{Field, GROUP, payload};
use crate::Outcome;
use crate::history::{Operation, Place, Span};

/// How often a member commits.
const COMMIT_EVERY: Duration = Duration::from_millis(40);
const POLL: Duration = Duration::from_millis(10);

/// Takes down what a member reads, and where it begins.
struct Member<'a> {
    field: &'a Field,
    reader: u16,
    /// What is read and not committed: the next offset of each partition.
    read: Mutex<HashMap<Place, i64>>,
}

impl ClientContext for Member<'_> {}

impl ConsumerContext for Member<'_> {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut read = self.read.lock().expect("no thread panics with it");
        match rebalance {
            Rebalance::Assign(partitions) => {
                let places = partitions.elements();
                self.field.recorder.record(places.iter().filter_map(|element| {
                    let place = self.place_of(element)?;
                    Some(Operation::Start { reader: self.reader, place, from: None })
                }));
            }
            // Somebody else's now; what was read and not committed will be read again.
            _ => read.clear(),
        }
    }
}

impl Member<'_> {
    fn place_of(&self, element: &TopicPartitionListElem<'_>) -> Option<Place> {
        self.field.place(element.topic(), element.partition())
    }
}

/// Reads until it is told to stop.
pub(super) fn run(field: &Field, reader: u16) -> Outcome {
    let member = Member { field, reader, read: Mutex::default() };
    let client: BaseConsumer<Member<'_>> = ClientConfig::new()
        .set("bootstrap.servers", &field.bootstrap)
        .set("group.id", GROUP)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "500")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.error.backoff.ms", "10")
        .set("retry.backoff.ms", "10")
        .set("reconnect.backoff.ms", "5")
        .set("reconnect.backoff.max.ms", "100")
        .set("check.crcs", "true")
        .set("log_level", "3")
        .create_with_context(member)?;
    let topics: Vec<String> = (0..field.plan.topics).map(|topic| field.topic(topic)).collect();
    client.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut committed = Instant::now();
    while !field.stop_readers.load(Ordering::SeqCst) {
        // While the broker is away there are errors; the client tries again by itself.
        if let Some(Ok(message)) = client.poll(POLL) {
            let Some(place) = field.place(message.topic(), message.partition()) else {
                return Err(format!("a record of {} was given", message.topic()).into());
            };
            let bytes = message.payload().unwrap_or_default();
            let (offset, value) = (message.offset(), payload::read(field.plan.seed, bytes));
            field.recorder.record([Operation::Read { reader, place, offset, value, end: None }]);
            let mut read = client.context().read.lock().expect("no thread panics with it");
            read.insert(place, offset + 1);
        }
        if committed.elapsed() > COMMIT_EVERY {
            commit(field, &client)?;
            committed = Instant::now();
        }
    }
    Ok(())
}

fn commit(field: &Field, client: &BaseConsumer<Member<'_>>) -> Outcome {
    let read = std::mem::take(&mut *client.context().read.lock().expect("no panic with it"));
    if read.is_empty() {
        return Ok(());
    }
    let mut positions = TopicPartitionList::new();
    for (place, next) in &read {
        let (topic, partition) = (field.topic(place.topic), i32::from(place.partition));
        positions.add_partition_offset(&topic, partition, Offset::Offset(*next))?;
    }
    let began = field.recorder.now();
    let answered = client.commit(&positions, CommitMode::Sync);
    // An error may be one of a repetition whose first attempt was carried out.
    let ended = answered.is_ok().then(|| field.recorder.now());
    let span = Span { began, ended };
    field.recorder.record(read.iter().map(|(&place, &position)| Operation::Commit {
        place,
        position,
        span,
    }));
    if answered.is_err() {
        let mut again = client.context().read.lock().expect("no panic with it");
        for (place, next) in read {
            again.entry(place).or_insert(next);
        }
    }
    Ok(())
}
