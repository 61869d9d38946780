//! One request in flight: how long a Produce of one record takes to be acknowledged, a Fetch of
//! what was just written to come back, and a place in the log to be found by time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Value, json};

use crate::spread::Spread;
use crate::wire::{self, Wire};
use crate::{Outcome, batch, payload, topic};

/// These warm up the connection and are not counted.
const WARM_UP: u32 = 200;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    topic: String,
    #[arg(long, default_value_t = 2000)]
    count: u32,
    /// Bytes of the record's value
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Read each record back, too
    #[arg(long)]
    fetch: bool,
    /// Look up so many times spread over the log, too, and read what is there
    #[arg(long, default_value_t = 0)]
    seeks: u32,
}

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    topic::partitions(bootstrap, &arguments.topic)?;
    let topic = arguments.topic.as_str();
    let mut wire = Wire::connect(bootstrap)?;
    let value = payload::random(arguments.size);
    let record = batch::one_record(payload::slice(&value, arguments.size, 0), now_ms());
    let mut produce = wire::produce(topic, 0, &record);
    let (mut produced, mut fetched) = (Spread::new()?, Spread::new()?);
    for n in 0..WARM_UP + arguments.count {
        let began = Instant::now();
        let offset = wire::produced(topic, wire.call(&mut produce)?)?;
        if n >= WARM_UP {
            produced.record(began.elapsed());
        }
        if arguments.fetch {
            let mut fetch = wire::fetch(topic, 0, offset, 64 * 1024);
            let began = Instant::now();
            if wire::fetched(topic, wire.call(&mut fetch)?)?.is_empty() {
                return Err(format!("offset {offset} is acknowledged and not read").into());
            }
            if n >= WARM_UP {
                fetched.record(began.elapsed());
            }
        }
    }
    let (by_time, by_offset) = seek(&mut wire, topic, arguments.seeks)?;
    Ok(json!({
        "requests": arguments.count,
        "produce": produced.json(),
        "fetch": fetched.json(),
        "seek_time": by_time.json(),
        "seek_offset": by_offset.json(),
    }))
}

/// Looks up times and offsets all over the log, in an order that no read-ahead guesses.
fn seek(wire: &mut Wire, topic: &str, count: u32) -> Outcome<(Spread, Spread)> {
    let (mut by_time, mut by_offset) = (Spread::new()?, Spread::new()?);
    let end = wire::listed(topic, wire.call(&mut wire::list_offsets(topic, 0, -1))?)?.1;
    let mut first = wire::fetch(topic, 0, 0, 1);
    let records = wire::fetched(topic, wire.call(&mut first)?)?;
    let oldest_ms = records.get(27..35).ok_or("the log is empty")?;
    let oldest_ms = i64::from_be_bytes(oldest_ms.try_into()?);
    let span_ms = (now_ms() - oldest_ms).max(1);
    for n in 0..i64::from(count) {
        // Steps of the golden ratio, in thousandths: even, and never in a row.
        let share = n * 618 % 1000;
        let mut request = wire::list_offsets(topic, 0, oldest_ms + span_ms * share / 1000);
        let began = Instant::now();
        wire::listed(topic, wire.call(&mut request)?)?;
        by_time.record(began.elapsed());
        let mut request = wire::fetch(topic, 0, end * share / 1000, 1);
        let began = Instant::now();
        wire::fetched(topic, wire.call(&mut request)?)?;
        by_offset.record(began.elapsed());
    }
    Ok((by_time, by_offset))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
