//! A service with a store, caught up from the beginning of the topic: each event has its row in the
//! inbox, and perhaps one of the handler's own. Beside it the loop that somebody would write by
//! hand: as many records as there are, their rows in one transaction, committed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};
use tidings::config::Settings;
use tidings::{Event, Fail, Meta, Service, State, Store, Tx};

use super::{Mark, OrderPlaced, PARTITIONS, SILENCE, block_on};
use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The SQLite file; made anew
    #[arg(long)]
    store: PathBuf,
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    #[arg(long, value_enum, default_value_t = By::Service)]
    by: By,
    /// What a handler does
    #[arg(long, value_enum, default_value_t = Work::Nothing)]
    work: Work,
    /// Events in one transaction, at most
    #[arg(long, default_value_t = 500)]
    batch: usize,
    /// One attempt in so many fails when it has written, so that savepoints stay on; 0: none
    #[arg(long, default_value_t = 0)]
    fails: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum By {
    /// The library
    Service,
    /// A loop
    Hand,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Work {
    /// Nothing
    Nothing,
    /// It writes a row by its `Tx`
    Row,
}

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", arguments.store.display());
        if std::fs::exists(&path)? {
            std::fs::remove_file(path)?;
        }
    }
    match arguments.by {
        By::Service => block_on(service(bootstrap, arguments)),
        By::Hand => block_on(by_hand(bootstrap, arguments)),
    }
}

/// Attempts that have written, and one in how many fails then.
#[derive(Clone)]
struct Failing {
    attempts: Arc<AtomicU64>,
    one_in: u64,
}

async fn nothing(_: OrderPlaced) -> Result<(), Fail> {
    Ok(())
}

async fn row(
    order: OrderPlaced,
    meta: Meta,
    mut tx: Tx,
    State(failing): State<Failing>,
) -> Result<(), Fail> {
    sqlx::query(INSERT)
        .bind(meta.id.as_str())
        .bind(&order.customer)
        .bind(order.total_cents)
        .execute(&mut tx)
        .await?;
    let attempt = failing.attempts.fetch_add(1, Ordering::Relaxed) + 1;
    if failing.one_in > 0 && attempt.is_multiple_of(failing.one_in) {
        return Err(Fail::retry("as it was asked to"));
    }
    Ok(())
}

async fn service(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let store = Store::sqlite(&arguments.store).await?;
    let pool = store.sqlite_pool().ok_or("not SQLite")?.clone();
    pool.execute(LEDGER).await?;
    // A group of its own, which has no offsets yet.
    let group = format!("stored-{}", tidings::EventId::random());
    let failing = Failing { attempts: Arc::default(), one_in: arguments.fails };
    let service =
        Service::new(group).settings(Settings::new(bootstrap)?).state(failing.clone()).store(store);
    let service = match arguments.work {
        Work::Nothing => service.on("nothing", nothing),
        Work::Row => service.on("row", row),
    };
    let service = service.batch(arguments.batch);
    let stats = service.stats();
    let (mut began, mut spent) = (None, None);
    let done = async {
        while stats.snapshot().handled < arguments.events {
            if began.is_none() && stats.snapshot().received > 0 {
                began = Some(Mark::now());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        spent = began.take().map(|began| began.and_then(|began| began.spent(arguments.events)));
    };
    service.run_until(done).await?;
    let mut spent = spent.ok_or("the service ended before it had handled anything")??;
    let twice = "SELECT count(*) - count(DISTINCT id) FROM ledger";
    let twice: i64 = sqlx::query_scalar(twice).fetch_one(&pool).await?;
    if twice > 0 {
        return Err(format!("{twice} effects are there twice").into());
    }
    spent["attempts"] = json!(failing.attempts.load(Ordering::Relaxed));
    Ok(spent)
}

async fn by_hand(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let store = Store::sqlite(&arguments.store).await?;
    let pool = store.sqlite_pool().ok_or("not SQLite")?.clone();
    pool.execute(LEDGER).await?;
    pool.execute("CREATE TABLE seen (id TEXT PRIMARY KEY) WITHOUT ROWID").await?;
    let consumer: BaseConsumer = Settings::new(bootstrap)?.consumer("by-hand").create()?;
    let mut places = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        places.add_partition_offset(OrderPlaced::TOPIC, partition, Offset::Beginning)?;
    }
    consumer.assign(&places)?;
    let mut connection = pool.acquire().await?;
    let (mut began, mut done) = (None, 0);
    while done < arguments.events {
        let mut orders = Vec::new();
        let mut wait = SILENCE;
        while orders.len() < arguments.batch {
            let Some(message) = consumer.poll(wait) else { break };
            let message = message?;
            if began.is_none() {
                began = Some(Mark::now()?);
            }
            let order: OrderPlaced = serde_json::from_slice(message.payload().unwrap_or_default())?;
            let id = format!("{}-{}", message.partition(), message.offset());
            orders.push((id, order));
            wait = Duration::ZERO;
        }
        if orders.is_empty() {
            return Err("no more records came".into());
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for (id, order) in &orders {
            let seen = sqlx::query("INSERT INTO seen VALUES (?) ON CONFLICT DO NOTHING");
            seen.bind(id).execute(&mut *transaction).await?;
            if arguments.work == Work::Row {
                let insert = sqlx::query(INSERT).bind(id).bind(&order.customer);
                insert.bind(order.total_cents).execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await?;
        done += orders.len() as u64;
    }
    began.ok_or("nothing came")?.spent(done)
}

const LEDGER: &str = "CREATE TABLE ledger (id TEXT, customer TEXT, cents INTEGER)";
const INSERT: &str = "INSERT INTO ledger (id, customer, cents) VALUES (?, ?, ?)";
