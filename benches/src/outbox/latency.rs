//! B11: from the end of a commit to the record at a consumer, at a steady rate, with a relay that
//! is rung, and with one that looks at the table every 100 ms.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use serde_json::Value;
use tidings::admin::Admin;
use tidings::config::Settings;
use tidings::{Relay, Store};

use super::{Placed, block_on, open, outbox};
use crate::spread::Spread;
use crate::{Outcome, consume};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A file's path or a PostgreSQL URL
    #[arg(long)]
    store: String,
    /// Transactions per second
    #[arg(long, default_value_t = 500)]
    rate: u32,
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    #[arg(long, value_enum, default_value_t = By::Relay)]
    by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum By {
    /// The relay, rung by the outbox
    Relay,
    /// The relay without a bell, which looks every 100 ms
    Polling,
}

const PARTITIONS: i32 = 4;

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    block_on(async {
        let store = open(&arguments.store).await?;
        let settings = Settings::new(bootstrap)?;
        Admin::new(&settings)?.create("outbox", PARTITIONS, &[]).await?;
        let outbox = outbox();
        let relay = Relay::new("load", store.clone()).settings(settings);
        let relay = match arguments.by {
            By::Relay => relay.woken_by(&outbox),
            By::Polling => relay,
        };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let relay = tokio::spawn(relay.run_until(async {
            let _ended = stopped.await;
        }));
        let count = u64::from(arguments.rate * arguments.seconds);
        let seen = {
            let bootstrap = bootstrap.to_owned();
            std::thread::spawn(move || receive(&bootstrap, count + WARM_UP))
        };
        let pace = Duration::from_secs(1) / arguments.rate;
        let mut committed = Vec::new();
        for number in 0..WARM_UP {
            commit(&store, &outbox, number).await?;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        for n in 0..count {
            let due = began + pace * u32::try_from(n)?;
            tokio::time::sleep_until(due.into()).await;
            commit(&store, &outbox, WARM_UP + n).await?;
            committed.push(Instant::now());
        }
        let seen = seen.join().map_err(|_| "the consumer broke")??;
        // It gives its slots back: the next run must not wait for its leases.
        drop(stop);
        relay.await??;
        let mut spread = Spread::new()?;
        for (at, committed) in committed.iter().enumerate() {
            let received = seen[WARM_UP as usize + at].ok_or("an event did not arrive")?;
            spread.record(received.saturating_duration_since(*committed));
        }
        Ok(spread.json())
    })
}

const WARM_UP: u64 = 200;

async fn commit(store: &Store, outbox: &tidings::Outbox, number: u64) -> Outcome {
    let mut session = store.begin().await?;
    outbox.publish(&mut session, Placed::number(number)).await?;
    Ok(session.commit().await?)
}

/// When each number was received first.
fn receive(bootstrap: &str, count: u64) -> Outcome<Vec<Option<Instant>>> {
    let consumer: BaseConsumer = consume::tuned(bootstrap).create()?;
    let mut places = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        places.add_partition_offset("outbox", partition, Offset::Beginning)?;
    }
    consumer.assign(&places)?;
    let mut seen = vec![None; usize::try_from(count)?];
    let mut left = count;
    while left > 0 {
        let message = consumer.poll(Duration::from_secs(30)).ok_or("nothing comes")??;
        let now = Instant::now();
        let placed: Placed = serde_json::from_slice(message.payload().ok_or("no value")?)?;
        let place = seen.get_mut(usize::try_from(placed.number)?).ok_or("an unknown number")?;
        left -= u64::from(place.replace(now).is_none());
    }
    Ok(seen)
}
