//! A topic for one measurement.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

use crate::Outcome;

/// Asks for the topic until it is there with `partitions`; the broker creates it on first use.
pub(crate) fn partitions(bootstrap: &str, topic: &str) -> Outcome<Vec<i32>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("allow.auto.create.topics", "true")
        .create()?;
    for _attempt in 0..100 {
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        if let Some(found) = found.filter(|found| !found.partitions().is_empty()) {
            return Ok(found.partitions().iter().map(|partition| partition.id()).collect());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("the topic {topic} does not appear; create it first").into())
}

/// How many records the topic holds.
pub(crate) fn records(bootstrap: &str, topic: &str) -> Outcome<i64> {
    let partitions = partitions(bootstrap, topic)?;
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create()?;
    let mut records = 0;
    for partition in partitions {
        let (low, high) = watermarks(&consumer, topic, partition)?;
        records += high - low;
    }
    Ok(records)
}

/// Where a partition begins and ends. One that was just created may have no leader yet.
pub(crate) fn watermarks<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Outcome<(i64, i64)> {
    let ask = || consumer.fetch_watermarks(topic, partition, Duration::from_secs(10));
    let mut answer = ask();
    for _attempt in 0..100 {
        if answer.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        answer = ask();
    }
    Ok(answer?)
}
