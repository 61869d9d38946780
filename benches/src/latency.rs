//! End to end: from a producer's send to a consumer's receipt, at a steady rate.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::{Outcome, consume, produce, topic};

/// What comes in the first second warms up clients and brokers and is not counted.
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    topic: String,
    /// Messages per second
    #[arg(long, default_value_t = 1000)]
    rate: u32,
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Bytes of one message's value
    #[arg(long, default_value_t = 100)]
    size: usize,
    /// How long the producer waits for more to send
    #[arg(long, default_value = "0")]
    linger_ms: String,
}

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let consumer: BaseConsumer = consume::tuned(bootstrap).create()?;
    let mut places = TopicPartitionList::new();
    for partition in topic::partitions(bootstrap, &arguments.topic)? {
        places.add_partition_offset(&arguments.topic, partition, Offset::End)?;
    }
    consumer.assign(&places)?;
    // The first poll starts the fetcher, so that nothing sent is missed or waited for.
    while consumer.poll(Duration::from_millis(500)).is_some() {}
    let count = arguments.rate * arguments.seconds;
    let sender = start_sender(bootstrap, arguments, count)?;
    let mut latencies_us = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let Some(message) = consumer.poll(Duration::from_secs(10)) else { break };
        let message = message?;
        let stamp = message.payload().and_then(|payload| payload.first_chunk::<8>());
        let sent_us =
            stamp.map(|stamp| u64::from_le_bytes(*stamp)).ok_or("a record without stamp")?;
        latencies_us.push(now_us().saturating_sub(sent_us));
    }
    sender.join().map_err(|_| "the sender panicked")??;
    if latencies_us.len() < count as usize {
        return Err(format!("{} of {count} records came", latencies_us.len()).into());
    }
    let warm = arguments.rate as usize * WARM_UP.as_secs() as usize;
    let measured = latencies_us.get_mut(warm..).ok_or("measure for more than a second")?;
    measured.sort_unstable();
    let at = |share: f64| measured[((measured.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    Ok(json!({
        "records": measured.len(),
        "p50_ms": at(0.5),
        "p90_ms": at(0.9),
        "p99_ms": at(0.99),
        "max_ms": at(1.0),
    }))
}

/// Sends `count` messages, each at its own time: a slow answer does not slow the sender down.
fn start_sender(
    bootstrap: &str,
    arguments: &Arguments,
    count: u32,
) -> Outcome<thread::JoinHandle<Outcome>> {
    let mut config = produce::tuned(bootstrap);
    config
        .set("linger.ms", &arguments.linger_ms)
        .set("queue.buffering.max.ms", &arguments.linger_ms);
    let producer: BaseProducer = config.create()?;
    let (topic, size) = (arguments.topic.clone(), arguments.size.max(8));
    let every = Duration::from_secs(1) / arguments.rate;
    Ok(thread::spawn(move || {
        let started = Instant::now();
        let mut value = vec![b'x'; size];
        for n in 0..count {
            let due = started + every * n;
            while let Some(left) = due.checked_duration_since(Instant::now()) {
                thread::sleep(left);
            }
            value[..8].copy_from_slice(&now_us().to_le_bytes());
            let record = BaseRecord::<(), [u8]>::to(&topic).payload(&value);
            producer.send(record).map_err(|(error, _)| error)?;
            producer.poll(Duration::ZERO);
        }
        producer.flush(Duration::from_secs(10))?;
        Ok(())
    }))
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
