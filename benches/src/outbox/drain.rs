//! B10: a backlog published by a relay, beside a plain scan of the same table.

use std::time::{Duration, Instant};

use clap::Args;
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sqlx::Row as _;
use tidings::admin::Admin;
use tidings::config::Settings;
use tidings::{Relay, Store};

use super::{Placed, block_on, open, outbox};
use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A file's path or a PostgreSQL URL
    #[arg(long)]
    store: String,
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
}

const BATCH: u64 = 1000;

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    block_on(async {
        let store = open(&arguments.store).await?;
        let settings = Settings::new(bootstrap)?;
        let admin = Admin::new(&settings)?;
        admin.create("outbox", 12, &[]).await?;
        let outbox = outbox();
        for batch in 0..arguments.rows.div_ceil(BATCH) {
            let mut session = store.begin().await?;
            let numbers = batch * BATCH..arguments.rows.min((batch + 1) * BATCH);
            let events: Vec<Placed> = numbers.map(Placed::number).collect();
            outbox.publish(&mut session, events).await?;
            session.commit().await?;
        }
        let began = Instant::now();
        let scanned = scan(&store).await?;
        let scan_seconds = began.elapsed().as_secs_f64();

        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let began = Instant::now();
        let relay = Relay::new("load", store.clone()).settings(settings).woken_by(&outbox);
        let relay = tokio::spawn(relay.run_until(async {
            let _ended = stopped.await;
        }));
        while !is_empty(&store).await? {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let seconds = began.elapsed().as_secs_f64();
        drop(stop);
        relay.await??;
        let rows = scanned as f64;
        Ok(json!({
            "seconds": seconds, "per_second": rows / seconds,
            "scan_per_second": rows / scan_seconds,
        }))
    })
}

/// Every row with its bytes, streamed and counted.
async fn scan(store: &Store) -> Outcome<usize> {
    const SCAN: &str = "select payload, headers from tidings_outbox order by position";
    macro_rules! count {
        ($pool:expr) => {{
            let mut rows = sqlx::query(SCAN).fetch($pool);
            let (mut count, mut bytes) = (0, 0);
            while let Some(row) = rows.try_next().await? {
                bytes += row.get::<Vec<u8>, _>(0).len() + row.get::<String, _>(1).len();
                count += 1;
            }
            if bytes == 0 { Err("an empty table".into()) } else { Ok(count) }
        }};
    }
    match (store.sqlite_pool(), store.postgres_pool()) {
        (Some(pool), _) => count!(pool),
        (_, Some(pool)) => count!(pool),
        _ => Err("a store without a database".into()),
    }
}

async fn is_empty(store: &Store) -> Outcome<bool> {
    const ANY: &str = "select position from tidings_outbox limit 1";
    Ok(match (store.sqlite_pool(), store.postgres_pool()) {
        (Some(pool), _) => sqlx::query(ANY).fetch_optional(pool).await?.is_none(),
        (_, Some(pool)) => sqlx::query(ANY).fetch_optional(pool).await?.is_none(),
        _ => return Err("a store without a database".into()),
    })
}
