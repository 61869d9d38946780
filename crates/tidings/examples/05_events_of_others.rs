//! Events that other programs wrote, in other languages, arrive like one's own: both forms that
//! CloudEvents has on Kafka are read, and nothing of them is lost.
//!
//! Run `tidings dev` in one terminal, and in another:
//!
//! `cargo run -p tidings --example 05_events_of_others`
//!
//! On a fresh broker it prints what stands in `05_events_of_others.out`.

use serde::{Deserialize, Serialize};
use tidings::cloudevents::CloudEvent;
use tidings::config::Settings;
use tidings::prelude::*;
use tidings::{RawRecord, RecordAddress};
use tokio::sync::mpsc;

/// As much of the others' event as is needed here: they may send more.
#[derive(Event, Serialize, Deserialize)]
#[event(type = "org.weather.storm.sighted", version = 1, topic = "weather", key = station)]
struct StormSighted {
    station: String,
    beaufort: u8,
}

/// Besides its data, a handler can ask for the event as a whole.
async fn warn(
    storm: StormSighted,
    event: CloudEvent,
    meta: Meta,
    State(lines): State<Lines>,
) -> Result<(), Fail> {
    let ship = event.extensions.get("ship").map_or("no ship", String::as_str);
    let StormSighted { station, beaufort } = storm;
    let RecordAddress { topic, .. } = meta.address;
    lines
        .send(format!("{topic}: {beaufort} at {station}, says {} ({ship})", event.source))
        .or_retry()
}

type Lines = mpsc::UnboundedSender<String>;

/// Binary mode: attributes are headers, the value is the data. `kcat -H ce_type=... ` writes this.
fn binary() -> RawRecord {
    let header = |name: &str, value: &'static str| (name.to_owned(), Some(value.into()));
    RawRecord {
        topic: "weather".to_owned(),
        key: Some("Helgoland".into()),
        value: Some(r#"{"station":"Helgoland","beaufort":9,"gusts":11}"#.into()),
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", "41"),
            header("ce_source", "//kcat"),
            header("ce_type", "org.weather.storm.sighted.v1"),
            header("content-type", "application/json"),
        ],
        partition: None,
    }
}

/// Structured mode: one JSON object, as Python's `cloudevents` writes it.
fn structured() -> RawRecord {
    let value = r#"{"specversion":"1.0","id":"42","source":"//python/harbour","ship":"Gorch Fock",
        "type":"org.weather.storm.sighted.v1","datacontenttype":"application/json",
        "data":{"station":"Helgoland","beaufort":10}}"#;
    let content_type = "application/cloudevents+json; charset=UTF-8";
    RawRecord {
        topic: "weather".to_owned(),
        key: Some("Helgoland".into()),
        value: Some(value.into()),
        headers: vec![("content-type".to_owned(), Some(content_type.into()))],
        partition: None,
    }
}

#[tokio::main]
async fn main() -> tidings::Result<()> {
    let publisher = Publisher::with(&Settings::from_env()?).await?;
    publisher.write(binary()).await?;
    publisher.write(structured()).await?;

    let (lines, mut printed): (Lines, _) = mpsc::unbounded_channel();
    let two_lines = async move {
        for _ in 0..2 {
            println!("{}", printed.recv().await.expect("the service holds the other end"));
        }
    };
    Service::new("warnings").state(lines).on("warn", warn).run_until(two_lines).await
}
