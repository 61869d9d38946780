//! End to end: from the time at which a message was due to be sent to its receipt, at a steady
//! rate. The sender does not wait for anything, and a message that it sends late counts as late.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::prctl;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::Value;

use crate::spread::Spread;
use crate::{Outcome, consume, payload, produce, topic};

/// What is due in the first moment warms up clients and brokers and is not counted.
const WARM_UP: Duration = Duration::from_millis(500);
/// Linux lets a sleeper oversleep by 50 µs unless told otherwise; this is the shortest.
const TIMER_SLACK_NS: u64 = 1;

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
    prctl::set_timerslack(TIMER_SLACK_NS)?;
    let mut config = consume::tuned(bootstrap);
    config.set("socket.nagle.disable", "true");
    let consumer: BaseConsumer = config.create()?;
    let partitions = topic::partitions(bootstrap, &arguments.topic)?;
    let mut places = TopicPartitionList::new();
    for partition in &partitions {
        places.add_partition_offset(&arguments.topic, *partition, Offset::Beginning)?;
    }
    let mut config = produce::tuned(bootstrap);
    config.set("linger.ms", &arguments.linger_ms).set("socket.nagle.disable", "true");
    let producer: BaseProducer = config.create()?;
    // What is in the topic is read away; when the warm-up records have come, the fetcher runs.
    produce::warm_up(&producer, &arguments.topic, &partitions)?;
    consumer.assign(&places)?;
    let mut left = topic::records(bootstrap, &arguments.topic)?;
    while left > 0 {
        consumer.poll(Duration::from_secs(10)).ok_or("what is there does not come")??;
        left -= 1;
    }
    let count = arguments.rate * arguments.seconds;
    let began = Instant::now();
    let sender = start_sender(producer, began, arguments, count);
    let mut spread = Spread::new()?;
    for n in 0..count {
        let message = consumer.poll(Duration::from_secs(10));
        let message = message.ok_or_else(|| format!("{n} of {count} records came"))??;
        let stamp = message.payload().and_then(|payload| payload.first_chunk::<8>());
        let due = stamp.map(|due| u64::from_le_bytes(*due)).ok_or("a record without stamp")?;
        let due = Duration::from_nanos(due);
        if due >= WARM_UP {
            spread.record(began.elapsed().saturating_sub(due));
        }
    }
    sender.join().map_err(|_| "the sender panicked")??;
    Ok(spread.json())
}

/// Sends `count` messages, each at its own time: a slow answer does not slow the sender down.
fn start_sender(
    producer: BaseProducer,
    began: Instant,
    arguments: &Arguments,
    count: u32,
) -> thread::JoinHandle<Outcome> {
    let (topic, size) = (arguments.topic.clone(), arguments.size.max(8));
    let every = Duration::from_secs(1) / arguments.rate;
    thread::spawn(move || {
        prctl::set_timerslack(TIMER_SLACK_NS)?;
        let mut value = payload::random(size);
        value.truncate(size);
        for n in 0..count {
            let due = every * n;
            while let Some(left) = due.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
                thread::sleep(left);
            }
            let stamp = u64::try_from(due.as_nanos())?;
            value[..8].copy_from_slice(&stamp.to_le_bytes());
            let record = BaseRecord::<(), [u8]>::to(&topic).payload(&value);
            producer.send(record).map_err(|(error, _)| error)?;
            producer.poll(Duration::ZERO);
        }
        producer.flush(Duration::from_secs(10))?;
        Ok(())
    })
}
