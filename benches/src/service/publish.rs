//! Publishing many events in flight: by the library, and by rdkafka's own producers, which are
//! given the same records ready-made.

use std::time::Duration;

use clap::{Args, ValueEnum};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, FutureProducer, FutureRecord, Producer};
use serde_json::Value;
use tidings::admin::Admin;
use tidings::config::Settings;
use tidings::{Draft, Event, IntoDraft, Publisher};

use super::{Mark, OrderPlaced, PARTITIONS, block_on};
use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 300_000)]
    events: u64,
    #[arg(long, value_enum, default_value_t = By::Publisher)]
    by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum By {
    /// The library: encodes, gives ids, times and traces, awaits each acknowledgement
    Publisher,
    /// rdkafka's `FutureProducer`, which awaits each acknowledgement
    Future,
    /// rdkafka's `BaseProducer`, which is flushed at the end
    Base,
}

/// Another topic than the readers': what they count must not grow.
const TOPIC: &str = "service-published";

/// As many headers of as many bytes as an event of the library carries.
const HEADERS: [(&str, &str); 10] = [
    ("ce_specversion", "1.0"),
    ("ce_id", "019abcf0-1c8e-7d3a-9b7e-0c5d1f2a3b4c"),
    ("ce_source", "/load"),
    ("ce_type", "com.example.order.placed.v1"),
    ("ce_time", "2026-11-23T10:41:07.123456Z"),
    ("content-type", "application/json"),
    ("ce_correlationid", "019abcf0-1c8e-7d3a-9b7e-0c5d1f2a3b4c"),
    ("ce_recordedtime", "2026-11-23T10:41:07.123456Z"),
    ("ce_traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
];

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let settings = Settings::new(bootstrap)?;
    block_on(async {
        Admin::new(&settings)?.create(TOPIC, PARTITIONS, &[]).await?;
        match arguments.by {
            By::Publisher => publisher(&settings, arguments.events).await,
            By::Future => future(&settings, arguments.events).await,
            By::Base => tokio::task::block_in_place(|| base(&settings, arguments.events)),
        }
    })
}

fn draft(n: u64) -> Draft {
    OrderPlaced::number(n).into_draft().topic(TOPIC)
}

async fn publisher(settings: &Settings, events: u64) -> Outcome<Value> {
    let publisher = Publisher::with(settings).await?;
    publisher.publish(draft(0)).await?;
    let began = Mark::now()?;
    let mut acks = std::collections::VecDeque::new();
    for n in 0..events {
        acks.push_back(publisher.enqueue(draft(n)).await?);
        if acks.len() > IN_FLIGHT {
            acks.pop_front().ok_or("none in flight")?.await?;
        }
    }
    for ack in acks {
        ack.await?;
    }
    let spent = began.spent(events);
    publisher.close().await?;
    spent
}

/// How many acknowledgements are awaited at the same time.
const IN_FLIGHT: usize = 20_000;

async fn future(settings: &Settings, events: u64) -> Outcome<Value> {
    let producer: FutureProducer = settings.producer().create()?;
    let send = |n| {
        let event = OrderPlaced::number(n);
        let (key, value) = (event.order_id.clone(), event.encode()?);
        let record = FutureRecord::to(TOPIC).key(&key).payload(&value).headers(headers());
        producer.send_result(record).map_err(|(error, _)| error.into())
    };
    let first: Outcome<_> = send(0);
    first?.await?.map_err(|(error, _)| error)?;
    let began = Mark::now()?;
    let mut acks = std::collections::VecDeque::new();
    for n in 0..events {
        let sent: Outcome<_> = send(n);
        acks.push_back(sent?);
        if acks.len() > IN_FLIGHT {
            acks.pop_front().ok_or("none in flight")?.await?.map_err(|(error, _)| error)?;
        }
    }
    for ack in acks {
        ack.await?.map_err(|(error, _)| error)?;
    }
    began.spent(events)
}

fn base(settings: &Settings, events: u64) -> Outcome<Value> {
    let producer: BaseProducer = settings.producer().create()?;
    producer.send(BaseRecord::<(), ()>::to(TOPIC)).map_err(|(error, _)| error)?;
    producer.flush(Duration::from_secs(60))?;
    let began = Mark::now()?;
    for n in 0..events {
        let event = OrderPlaced::number(n);
        let (key, value) = (event.order_id.clone(), event.encode()?);
        let mut record = BaseRecord::to(TOPIC).key(&key).payload(&value).headers(headers());
        while let Err((error, same)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            record = same;
            producer.poll(Duration::from_millis(1));
        }
        if n % 1024 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(60))?;
    began.spent(events)
}

fn headers() -> OwnedHeaders {
    let all = OwnedHeaders::new_with_capacity(HEADERS.len());
    HEADERS.iter().fold(all, |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value.as_bytes()) })
    })
}
