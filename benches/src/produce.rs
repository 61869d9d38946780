//! Produce: how many messages a broker acknowledges per second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use serde_json::{Value, json};

use crate::{Outcome, payload, topic};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    topic: String,
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Bytes of one message's value
    #[arg(long, default_value_t = 1024)]
    size: usize,
    /// The most bytes of one batch
    #[arg(long, default_value = "1000000")]
    batch_bytes: String,
    /// Use only this partition
    #[arg(long)]
    partition: Option<i32>,
    /// A broker that goes away is no error: say how many were acknowledged until then
    #[arg(long)]
    until_killed: bool,
}

/// What the broker answered so far.
#[derive(Debug, Default)]
struct Answers {
    acknowledged: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Clone)]
struct Count(Arc<Answers>);

impl ClientContext for Count {}

impl ProducerContext for Count {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let counter = match result {
            Ok(_) => &self.0.acknowledged,
            Err(_) => &self.0.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Librdkafka's own defaults hold a producer back; each of these was measured to matter.
pub(crate) fn tuned(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        // Fewer, larger requests: the cost per request is the broker's, not the record's.
        .set("batch.size", "1000000")
        .set("batch.num.messages", "10000")
        .set("queue.buffering.max.messages", "1000000")
        .set("queue.buffering.max.kbytes", "262144");
    config
}

/// One record to each partition, acknowledged: connections stand, and the producer has its id, for
/// which librdkafka may wait half a second. Says how many records that were.
pub(crate) fn warm_up<C: ProducerContext<DeliveryOpaque = ()>>(
    producer: &BaseProducer<C>,
    topic: &str,
    partitions: &[i32],
) -> Outcome<u64> {
    for partition in partitions {
        let record = BaseRecord::<(), [u8]>::to(topic).partition(*partition).payload(b"warm-up");
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(Duration::from_secs(30))?;
    Ok(partitions.len() as u64)
}

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let answers = Arc::new(Answers::default());
    let mut config = tuned(bootstrap);
    config.set("batch.size", &arguments.batch_bytes);
    if arguments.until_killed {
        config.set("message.timeout.ms", "3000");
    }
    let producer: BaseProducer<Count> = config.create_with_context(Count(answers.clone()))?;
    let values = payload::random(arguments.size);
    let partitions = topic::partitions(bootstrap, &arguments.topic)?;
    let warm = warm_up(&producer, &arguments.topic, &partitions)?;
    answers.acknowledged.fetch_sub(warm, Ordering::Relaxed);
    let started = Instant::now();
    let mut sent = 0;
    while sent < arguments.messages && answers.failed.load(Ordering::Relaxed) == 0 {
        let value = payload::slice(&values, arguments.size, sent);
        let mut record = BaseRecord::<(), [u8]>::to(&arguments.topic).payload(value);
        if let Some(partition) = arguments.partition {
            record = record.partition(partition);
        }
        match producer.send(record) {
            Ok(()) => sent += 1,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(5));
            }
            Err((error, _)) => return Err(error.into()),
        }
        if sent % 1024 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    let flushed = producer.flush(Duration::from_secs(120));
    let seconds = started.elapsed().as_secs_f64();
    let acknowledged = answers.acknowledged.load(Ordering::Relaxed);
    if !arguments.until_killed {
        flushed?;
        if acknowledged != arguments.messages {
            return Err(
                format!("{acknowledged} of {} were acknowledged", arguments.messages).into()
            );
        }
    }
    Ok(json!({
        "acknowledged": acknowledged,
        "seconds": seconds,
        "per_second": acknowledged as f64 / seconds,
    }))
}
