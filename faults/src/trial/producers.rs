//! Idempotent producers with acks=all and five requests in flight, as services have them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::{CALM_LIMIT, Field, payload};
use crate::Outcome;
use crate::history::{Answer, Operation, Place, Value};
use crate::random::Random;

/// Records of a burst: enough for several requests in flight to one partition.
const BURST: std::ops::Range<u64> = 1..40;
/// Records of one request, at most: small, so that there are many requests.
const BATCH: &str = "5";

/// Takes down what became of each record.
struct Ledger<'a>(&'a Field);

impl ClientContext for Ledger<'_> {}

impl ProducerContext for Ledger<'_> {
    type DeliveryOpaque = Box<Value>;

    fn delivery(&self, result: &DeliveryResult<'_>, value: Box<Value>) {
        let answer = match result {
            Ok(message) => {
                self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
                Answer::Acknowledged(Some(message.offset()).filter(|offset| *offset >= 0))
            }
            Err(_) => {
                self.0.unanswered.fetch_add(1, Ordering::Relaxed);
                Answer::Unknown
            }
        };
        self.0.recorder.record([Operation::Send { value: *value, answer }]);
    }
}

fn config(field: &Field) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &field.bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("max.in.flight.requests.per.connection", "5")
        .set("linger.ms", "0")
        .set("batch.num.messages", BATCH)
        // A trial is about what the broker keeps: the client tries as long as it takes.
        .set("message.timeout.ms", "0")
        .set("retry.backoff.ms", "5")
        .set("retry.backoff.max.ms", "50")
        .set("reconnect.backoff.ms", "5")
        .set("reconnect.backoff.max.ms", "50")
        .set("log_level", "3");
    if field.plan.fill > 0 {
        config.set("batch.num.messages", "10000").set("linger.ms", "5");
    }
    config
}

/// Sends until it is told to stop, then waits for what is under way.
pub(super) fn run(field: &Field, producer: u16) -> Outcome {
    let client: BaseProducer<Ledger<'_>> = config(field).create_with_context(Ledger(field))?;
    let mut random = Random::new(field.plan.seed, 1000 + u64::from(producer));
    let mut sequences: HashMap<Place, u64> = HashMap::new();
    let (began, mut sent) = (Instant::now(), 0);
    let places: Vec<Place> = field.places().collect();
    while !field.stop_producers.load(Ordering::SeqCst) {
        let place = places[random.within(0..places.len() as u64) as usize];
        for _ in 0..random.within(BURST) {
            let sequence = sequences.entry(place).or_insert(0);
            let value = Value { producer, sent_to: place, sequence: *sequence };
            if send(&client, field, value)? {
                *sequence += 1;
                sent += 1;
            }
        }
        client.poll(Duration::ZERO);
        if field.fill_up.load(Ordering::Relaxed) {
            continue;
        }
        let due = Duration::from_millis(sent * 1000 / field.plan.rate.max(1));
        // Not a wait for something: it is the rate.
        let ahead = due.saturating_sub(began.elapsed()).min(Duration::from_millis(20));
        if ahead.is_zero() {
            thread::yield_now();
        } else {
            client.poll(ahead);
        }
    }
    let flushed = client.flush(CALM_LIMIT);
    flushed.map_err(|error| format!("producer {producer} has no answer in calm: {error}").into())
}

/// Whether the record was taken into the queue.
fn send(client: &BaseProducer<Ledger<'_>>, field: &Field, value: Value) -> Outcome<bool> {
    let bytes = payload::write(field.plan.seed, value, field.plan.value_bytes);
    let topic = field.topic(value.sent_to.topic);
    let record = BaseRecord::<(), [u8], Box<Value>>::with_opaque_to(&topic, Box::new(value))
        .partition(value.sent_to.partition.into())
        .payload(&bytes);
    match client.send(record) {
        Ok(()) => Ok(true),
        Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
            client.poll(Duration::from_millis(5));
            Ok(false)
        }
        Err((error, _)) => {
            Err(format!("producer {} takes no more: {error}", value.producer).into())
        }
    }
}
