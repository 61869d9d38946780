//! Keyed parallelism: handlers that wait, many keys at once and one event of a key at a time,
//! against the ideal schedule of the very durations that the handlers took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidings::admin::Admin;
use tidings::config::Settings;
use tidings::{Event, EventId, Fail, Publisher, Service, State};

use super::block_on;
use crate::{Outcome, topic};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 10_000)]
    events: u64,
    #[arg(long, default_value_t = 20)]
    keys: u64,
    /// Handlers at the same time
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// The seed of the durations
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What a handler waits for. Durations are uniform between 0 and 5 ms.
#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.work.asked", version = 1, topic = "keyed", key = key)]
struct WorkAsked {
    key: u64,
    /// Its place among the events of its key.
    turn: u64,
    micros: u64,
}

/// What the handlers saw, per key and in all.
struct Seen {
    keys: Vec<Key>,
    span: Mutex<Option<(Instant, Instant)>>,
    handled: AtomicU64,
    disorder: AtomicU64,
}

#[derive(Default)]
struct Key {
    turn: AtomicU64,
    running: AtomicU64,
    busy_ns: AtomicU64,
}

async fn work(asked: WorkAsked, State(seen): State<Arc<Seen>>) -> Result<(), Fail> {
    let began = Instant::now();
    let key = &seen.keys[usize::try_from(asked.key)?];
    let alone = key.running.fetch_add(1, Ordering::SeqCst) == 0;
    let in_turn = key.turn.swap(asked.turn + 1, Ordering::SeqCst) == asked.turn;
    tokio::time::sleep(Duration::from_micros(asked.micros)).await;
    key.running.fetch_sub(1, Ordering::SeqCst);
    if !(alone && in_turn) {
        seen.disorder.fetch_add(1, Ordering::SeqCst);
    }
    let ended = Instant::now();
    key.busy_ns.fetch_add(u64::try_from((ended - began).as_nanos())?, Ordering::SeqCst);
    let mut span = seen.span.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, last) = span.get_or_insert((began, ended));
    (*first, *last) = ((*first).min(began), (*last).max(ended));
    drop(span);
    seen.handled.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let settings = Settings::new(bootstrap)?;
    let seen = Arc::new(Seen {
        keys: (0..arguments.keys).map(|_| Key::default()).collect(),
        span: Mutex::default(),
        handled: AtomicU64::new(0),
        disorder: AtomicU64::new(0),
    });
    let group = format!("keyed-{}", EventId::random());
    block_on(async {
        Admin::new(&settings)?.create(WorkAsked::TOPIC, 1, &[]).await?;
        tokio::task::block_in_place(|| begin_at_end(&settings, &group))?;
        fill(&settings, arguments).await?;
        let done = async {
            while seen.handled.load(Ordering::SeqCst) < arguments.events {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let service = Service::new(group)
            .settings(settings)
            .concurrency(arguments.concurrency)
            .state(Arc::clone(&seen))
            .on("work", work);
        Ok(service.run_until(done).await?)
    })?;
    report(&seen, arguments)
}

/// The group begins behind what earlier runs have left in the topic.
fn begin_at_end(settings: &Settings, group: &str) -> Outcome {
    let client: BaseConsumer = settings.consumer(group).create()?;
    let (_, end) = topic::watermarks(&client, WorkAsked::TOPIC, 0)?;
    let mut places = TopicPartitionList::new();
    places.add_partition_offset(WorkAsked::TOPIC, 0, Offset::Offset(end))?;
    Ok(client.commit(&places, CommitMode::Sync)?)
}

async fn fill(settings: &Settings, arguments: &Arguments) -> Outcome {
    let publisher = Publisher::with(settings).await?;
    let mut state = arguments.seed;
    for n in 0..arguments.events {
        state = split_mix(state);
        let (key, turn) = (n % arguments.keys, n / arguments.keys);
        let micros = split_mix(state) % 5000;
        drop(publisher.enqueue(WorkAsked { key, turn, micros }).await?);
    }
    Ok(publisher.close().await?)
}

/// SplitMix64, for durations that the seed alone decides.
fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// No schedule is shorter than the longest key, nor than all work shared evenly.
fn report(seen: &Seen, arguments: &Arguments) -> Outcome<Value> {
    let disorder = seen.disorder.load(Ordering::SeqCst);
    let handled = seen.handled.load(Ordering::SeqCst);
    if disorder > 0 || handled != arguments.events {
        return Err(format!("{handled} handled, {disorder} of them out of their key's turn").into());
    }
    let busy = seen.keys.iter().map(|key| key.busy_ns.load(Ordering::SeqCst) as f64 / 1e9);
    let (longest, total) =
        busy.fold((0f64, 0f64), |(longest, total), key| (longest.max(key), total + key));
    let ideal = longest.max(total / arguments.concurrency as f64);
    let span = seen.span.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, last) = span.ok_or("nothing ran")?;
    let seconds = (last - first).as_secs_f64();
    Ok(json!({
        "events": handled,
        "keys": arguments.keys,
        "concurrency": arguments.concurrency,
        "seconds": seconds,
        "ideal_seconds": ideal,
        "of_ideal": seconds / ideal,
        "mean_ms": total * 1000.0 / handled as f64,
    }))
}
