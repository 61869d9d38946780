//! The outbox beside what it is made of: the same transaction without it, a plain scan of the same
//! table, a poller with a timer.

use tidings::{Event, Outbox, Store};

use crate::Outcome;
use serde::{Deserialize, Serialize};
use sqlx::Executor as _;

pub(crate) mod drain;
pub(crate) mod latency;
pub(crate) mod write;

/// An event of some 250 bytes with a key of its own among ten thousand.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "outbox", key = customer)]
struct Placed {
    customer: u64,
    number: u64,
    note: String,
}

const KEYS: u64 = 10_000;

impl Placed {
    fn number(number: u64) -> Placed {
        Placed { customer: number % KEYS, number, note: "x".repeat(200) }
    }
}

/// Opens the store at a file's path or a PostgreSQL URL, with the tables of this benchmark, empty.
async fn open(place: &str) -> Outcome<Store> {
    const TABLES: [&str; 4] = [
        "create table if not exists ledger (number bigint primary key, customer bigint, note text)",
        "create table if not exists plain_outbox \
         (number bigint primary key, topic text, key text, payload text)",
        "delete from ledger",
        "delete from plain_outbox",
    ];
    let store = match place.contains("://") {
        true => Store::postgres(place).await?,
        false => Store::sqlite(place).await?,
    };
    store.migrate().await?;
    for sql in TABLES.into_iter().chain(["delete from tidings_outbox"]) {
        match (store.sqlite_pool(), store.postgres_pool()) {
            (Some(pool), _) => pool.execute(sql).await.map(drop)?,
            (_, Some(pool)) => pool.execute(sql).await.map(drop)?,
            _ => return Err("a store without a database".into()),
        }
    }
    Ok(store)
}

fn outbox() -> Outbox {
    Outbox::new("/load")
}

fn block_on<T>(future: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}
