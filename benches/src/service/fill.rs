//! Fills the topic that the readers read, with events as the library publishes them.

use clap::Args;
use serde_json::{Value, json};
use tidings::admin::Admin;
use tidings::config::Settings;
use tidings::{Event, Publisher};

use super::{OrderPlaced, PARTITIONS, block_on};
use crate::{Outcome, topic};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many events the topic shall hold
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
}

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let settings = Settings::new(bootstrap)?;
    block_on(async {
        Admin::new(&settings)?.create(OrderPlaced::TOPIC, PARTITIONS, &[]).await?;
        let there = u64::try_from(topic::records(bootstrap, OrderPlaced::TOPIC)?)?;
        let publisher = Publisher::with(&settings).await?;
        for n in there..arguments.events {
            drop(publisher.enqueue(OrderPlaced::number(n)).await?);
        }
        publisher.flush().await;
        Ok(json!({ "events": topic::records(bootstrap, OrderPlaced::TOPIC)? }))
    })
}
