//! Rows and events in one transaction, in ordinary code: both or neither.
//!
//! Run `tidings dev` in one terminal, and in another:
//!
//! `cargo run -p tidings --example 07_outbox --features sqlite`
//!
//! On a fresh broker it prints what stands in `07_outbox.out`.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;
use tidings::{Outbox, Relay, Store};
use tokio::sync::mpsc;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = customer)]
struct OrderPlaced {
    order_id: u32,
    customer: String,
}

/// What an HTTP handler would do for a request. Nothing here talks to the broker.
async fn place(store: &Store, outbox: &Outbox, order_id: u32, cents: i64) -> Result<(), BoxError> {
    let pool = store.sqlite_pool().expect("it was opened as SQLite");
    let mut tx = pool.begin().await?;
    sqlx::query("insert into orders (order_id, cents) values (?, ?)")
        .bind(order_id)
        .bind(cents)
        .execute(&mut *tx)
        .await?;
    outbox.publish(&mut tx, OrderPlaced { order_id, customer: "Ada".into() }).await?;
    if cents < 0 {
        return Err("an order below zero".into()); // the transaction is dropped: no row, no event
    }
    Ok(tx.commit().await?)
}

async fn ship(order: OrderPlaced, State(lines): State<Lines>) -> Result<(), Fail> {
    lines.send(format!("order {} of {} can be shipped", order.order_id, order.customer)).or_retry()
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Lines = mpsc::UnboundedSender<String>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let dir = std::env::temp_dir().join(format!("tidings-outbox-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let store = Store::sqlite(dir.join("orders.db")).await?;
    store.migrate().await?; // the outbox's tables, beside the service's own
    let pool = store.sqlite_pool().expect("it was opened as SQLite");
    sqlx::query("create table orders (order_id int primary key, cents int)").execute(pool).await?;

    let outbox = Outbox::new("/orders");
    for (order_id, cents) in [(1, 4_000), (2, -1), (3, 2_500)] {
        if let Err(error) = place(&store, &outbox, order_id, cents).await {
            println!("order {order_id} was not placed: {error}");
        }
    }

    let (lines, mut printed): (Lines, _) = mpsc::unbounded_channel();
    let shipping = Service::new("shipping").state(lines).on("ship", ship).create_topics();
    let two_lines = async move {
        for _ in 0..2 {
            println!("{}", printed.recv().await.expect("the service holds the other end"));
        }
    };
    let mut settings = tidings::config::Settings::from_env()?;
    settings.set("create_topics", "true", tidings::config::Origin::Code)?;
    let relay = Relay::new("orders", store.clone()).settings(settings).woken_by(&outbox);
    // In earnest the relay runs beside the program that writes, and shipping is another program.
    tokio::select! {
        ended = relay.run() => ended?,
        ended = shipping.run_until(two_lines) => ended?,
    }
    std::fs::remove_dir_all(dir)?;
    Ok(())
}
