//! B9: a business row alone, with a hand-written INSERT beside it, and with the outbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tidings::{Outbox, Store};

use super::{Placed, block_on, open, outbox};
use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A file's path or a PostgreSQL URL
    #[arg(long)]
    store: String,
    #[arg(long, default_value_t = 1)]
    clients: usize,
    #[arg(long, default_value_t = 2000)]
    transactions: u64,
    #[arg(long, value_enum, default_value_t = With::Outbox)]
    with: With,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum With {
    /// The business row alone
    Nothing,
    /// An INSERT of the event's bytes by hand, without identity, headers or order
    Insert,
    /// The library's outbox
    Outbox,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome<Value> {
    block_on(async {
        let store = open(&arguments.store).await?;
        let next = Arc::new(AtomicU64::new(0));
        let (count, with) = (arguments.transactions, arguments.with);
        let began = Instant::now();
        let clients: Vec<_> = (0..arguments.clients)
            .map(|_| {
                let (store, next) = (store.clone(), Arc::clone(&next));
                tokio::spawn(async move { client(&store, &outbox(), &next, count, with).await })
            })
            .collect();
        for client in clients {
            client.await??;
        }
        let seconds = began.elapsed().as_secs_f64();
        Ok(json!({ "seconds": seconds, "per_second": count as f64 / seconds }))
    })
}

async fn client(
    store: &Store,
    outbox: &Outbox,
    next: &AtomicU64,
    count: u64,
    with: With,
) -> Outcome {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(());
        }
        transaction(store, outbox, Placed::number(number), with).await?;
    }
}

const ROW: &str = "insert into ledger (number, customer, note) values ($1, $2, $3)";
const BY_HAND: &str =
    "insert into plain_outbox (number, topic, key, payload) values ($1, 'outbox', $2, $3)";

async fn transaction(store: &Store, outbox: &Outbox, placed: Placed, with: With) -> Outcome {
    macro_rules! run {
        ($tx:expr) => {{
            let mut tx = $tx;
            let (number, customer) = (placed.number as i64, placed.customer as i64);
            let row = sqlx::query(ROW).bind(number).bind(customer).bind(&placed.note);
            row.execute(&mut *tx).await?;
            match with {
                With::Nothing => {}
                With::Insert => {
                    let payload = serde_json::to_string(&placed)?;
                    let key = placed.customer.to_string();
                    let insert = sqlx::query(BY_HAND).bind(number).bind(key).bind(payload);
                    insert.execute(&mut *tx).await?;
                }
                With::Outbox => drop(outbox.publish(&mut tx, placed).await?),
            }
            Ok(tx.commit().await?)
        }};
    }
    match (store.sqlite_pool(), store.postgres_pool()) {
        (Some(pool), _) => run!(pool.begin_with("BEGIN IMMEDIATE").await?),
        (_, Some(pool)) => run!(pool.begin().await?),
        _ => Err("a store without a database".into()),
    }
}
