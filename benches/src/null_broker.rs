//! The null broker: librdkafka's own mock cluster, which parses a Produce and forgets it. What the
//! client does against it is the client's limit, and so the limit of every broker.

use std::io::{Read, Write};

use clap::Args;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use serde_json::{Value, json};

use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// One topic `null-N` for each N: it has so many partitions
    #[arg(long, value_delimiter = ',', default_value = "1,12")]
    partitions: Vec<i32>,
}

/// The topic with so many partitions.
fn topic(partitions: i32) -> String {
    format!("null-{partitions}")
}

/// Prints `listening HOST:PORT` and serves until standard input ends.
pub(crate) fn run(arguments: &Arguments) -> Outcome<Value> {
    let cluster: MockCluster<'static, DefaultProducerContext> = MockCluster::new(1)?;
    for partitions in &arguments.partitions {
        cluster.create_topic(&topic(*partitions), *partitions, 1)?;
    }
    println!("listening {}", cluster.bootstrap_servers());
    std::io::stdout().flush()?;
    let served = std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(json!({ "words": served }))
}
