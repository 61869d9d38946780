//! The bare loop: one tuned rdkafka consumer that reads the topic from its beginning, and does with
//! each record nothing, or a part of what a service must do to know what it has before it.

use std::time::Duration;

use clap::{Args, ValueEnum};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use tidings::Event;
use tidings::config::Settings;

use super::{Mark, OrderPlaced, PARTITIONS, SILENCE};
use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// What is done with each record
    #[arg(long, value_enum, default_value_t = Reads::Nothing)]
    reads: Reads,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Reads {
    /// It is counted
    Nothing,
    /// The header that holds its type is looked up
    Type,
    /// That, and the data is decoded
    Json,
}

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    // What the library tells its own client, so that the client is no part of the difference.
    let consumer: BaseConsumer = Settings::new(bootstrap)?.consumer("bare").create()?;
    let mut places = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        places.add_partition_offset(OrderPlaced::TOPIC, partition, Offset::Beginning)?;
    }
    consumer.assign(&places)?;
    let next = |wait: Duration| consumer.poll(wait).ok_or("no more records came");
    look_at(&next(SILENCE)??, arguments.reads)?;
    let began = Mark::now()?;
    for _ in 1..arguments.events {
        look_at(&next(SILENCE)??, arguments.reads)?;
    }
    began.spent(arguments.events)
}

fn look_at(message: &BorrowedMessage<'_>, reads: Reads) -> Outcome {
    if reads != Reads::Nothing {
        let headers = message.headers().ok_or("no headers")?;
        headers.iter().find(|header| header.key == "ce_type").ok_or("no type")?;
    }
    if reads == Reads::Json {
        let _: OrderPlaced = serde_json::from_slice(message.payload().unwrap_or_default())?;
    }
    Ok(())
}
