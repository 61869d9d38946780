//! What a service costs beside a bare client that reads the same records: events per second of a
//! handler that does nothing, caught up from the beginning.
//!
//! `cargo run --release -p tidings --example measure_service -- [BOOTSTRAP] [EVENTS] [ROUNDS]`;
//! without an address it starts the embedded broker in a thread of this process.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use tidings::admin::Admin;
use tidings::config::Settings;
use tidings::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "service-measured", key = order_id)]
struct OrderPlaced {
    order_id: String,
    customer: String,
    total_cents: i64,
    note: String,
}

/// As many as the table of other frameworks in the project's notes was measured with.
const PARTITIONS: i32 = 12;

async fn nothing(_: OrderPlaced) -> Result<(), Fail> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // With logs each attempt gets its span; without, it costs nothing. Both are worth knowing.
    if std::env::var_os("RUST_LOG").is_some() {
        tidings::telemetry::init();
    }
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().filter(|address| address != "-");
    let events: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let rounds: u32 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let broker = match &address {
        Some(_) => None,
        None => Some(tidings::test::Broker::start().await),
    };
    let settings = match (&broker, address) {
        (Some(broker), _) => broker.settings(),
        (None, address) => Settings::new(address.unwrap_or_default())?,
    };
    fill(&settings, events).await?;
    for round in 0..rounds {
        let alone = |reads| tokio::task::block_in_place(|| bare(&settings, events, reads));
        let nothing = alone(Reads::Nothing)?;
        let types = alone(Reads::Type)?;
        let json = alone(Reads::Json)?;
        let ours = service(&settings, events, round).await?;
        println!(
            "bare {nothing:.0}/s, with type header {types:.0}/s, and JSON {json:.0}/s, service \
             {ours:.0}/s: {:.2} of bare, {:.2} of type, {:.2} of JSON",
            ours / nothing,
            ours / types,
            ours / json,
        );
    }
    Ok(())
}

/// Publishes what is missing.
async fn fill(settings: &Settings, events: u64) -> Result<(), Box<dyn std::error::Error>> {
    Admin::new(settings)?.create(OrderPlaced::TOPIC, PARTITIONS, &[]).await?;
    let there: u64 = ends(settings)?.iter().sum();
    let publisher = Publisher::with(settings).await?;
    for n in there..events {
        let event = OrderPlaced {
            order_id: format!("order-{:06}", n % 50_000),
            customer: format!("customer-{:05}", n % 997),
            total_cents: n as i64,
            note: "x".repeat(150),
        };
        drop(publisher.enqueue(event).await?);
    }
    publisher.flush().await;
    println!("{events} events on {PARTITIONS} partitions, {} new", events.saturating_sub(there));
    Ok(())
}

fn ends(settings: &Settings) -> Result<Vec<u64>, Box<dyn std::error::Error>> {
    let client: BaseConsumer = settings.client().create()?;
    let end = |partition| {
        let wait = Duration::from_secs(10);
        Ok(client.fetch_watermarks(OrderPlaced::TOPIC, partition, wait)?.1 as u64)
    };
    (0..PARTITIONS).map(end).collect()
}

/// What the bare loop does with each record.
#[derive(PartialEq)]
enum Reads {
    Nothing,
    Type,
    Json,
}

fn bare(settings: &Settings, events: u64, reads: Reads) -> Result<f64, Box<dyn std::error::Error>> {
    let consumer: BaseConsumer = settings.consumer("service-bare").create()?;
    let mut places = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        places.add_partition_offset(OrderPlaced::TOPIC, partition, Offset::Beginning)?;
    }
    let began = Instant::now();
    consumer.assign(&places)?;
    let mut count = 0;
    while count < events {
        let message = consumer.poll(Duration::from_secs(10)).ok_or("no more records")??;
        if reads != Reads::Nothing {
            let headers = message.headers().ok_or("no headers")?;
            headers.iter().find(|header| header.key == "ce_type").ok_or("no type")?;
        }
        if reads == Reads::Json {
            let _: OrderPlaced = serde_json::from_slice(message.payload().unwrap_or_default())?;
        }
        count += 1;
    }
    Ok(events as f64 / began.elapsed().as_secs_f64())
}

async fn service(settings: &Settings, events: u64, round: u32) -> tidings::Result<f64> {
    let group = format!("service-{round}-{}", std::process::id());
    let service = Service::new(group).settings(settings.clone()).on("nothing", nothing);
    let stats = service.stats();
    let (mut first, mut last) = (None, None);
    let done = async {
        while stats.snapshot().handled < events {
            if first.is_none() && stats.snapshot().received > 0 {
                first = Some(Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        last = Some(Instant::now());
    };
    service.run_until(done).await?;
    let elapsed = last.zip(first).map_or(Duration::MAX, |(last, first)| last - first);
    Ok(events as f64 / elapsed.as_secs_f64())
}
