//! Consume: how fast a topic is read from its beginning, and whether all of it is there.

use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::{Outcome, topic};

/// A broker that gives nothing for so long has nothing more to give.
const SILENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    topic: String,
}

/// Librdkafka waits a second once its queue is full, which costs a reader that catches up a factor
/// of four.
pub(crate) fn tuned(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "load")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.min.messages", "1000000")
        .set("queued.max.messages.kbytes", "131072");
    config
}

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let wanted = u64::try_from(topic::records(bootstrap, &arguments.topic)?)?;
    let consumer: BaseConsumer = tuned(bootstrap).create()?;
    let mut places = TopicPartitionList::new();
    for partition in topic::partitions(bootstrap, &arguments.topic)? {
        places.add_partition_offset(&arguments.topic, partition, Offset::Beginning)?;
    }
    let (mut records, mut bytes) = (0u64, 0u64);
    // From the first record on: how long a client takes to connect is another question.
    let mut started = Instant::now();
    consumer.assign(&places)?;
    while records < wanted {
        match consumer.poll(SILENCE) {
            Some(message) => {
                bytes += message?.payload_len() as u64;
                if records == 0 {
                    started = Instant::now();
                }
                records += 1;
            }
            None => return Err(format!("{records} of {wanted} records came, then none").into()),
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({
        "records": records,
        "bytes": bytes,
        "seconds": seconds,
        "per_second": records as f64 / seconds,
    }))
}

/// Waits for records at the end of a topic until it is ended.
pub(crate) fn wait(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    // As most consumers are set, not as the quickest one is.
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", "waiting");
    let consumer: BaseConsumer = config.set("enable.auto.commit", "false").create()?;
    let mut places = TopicPartitionList::new();
    for partition in topic::partitions(bootstrap, &arguments.topic)? {
        places.add_partition_offset(&arguments.topic, partition, Offset::End)?;
    }
    consumer.assign(&places)?;
    loop {
        if let Some(message) = consumer.poll(SILENCE) {
            message?;
        }
    }
}
