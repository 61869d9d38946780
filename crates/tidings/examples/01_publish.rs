//! Publishes two events, and says where the broker has put them.
//!
//! Run `tidings dev` in one terminal, and in another:
//!
//! `cargo run -p tidings --example 01_publish`
//!
//! On a fresh broker it prints what stands in `01_publish.out`.

use serde::{Deserialize, Serialize};
use tidings::config::Settings;
use tidings::prelude::*;

/// A fact: past tense, immutable. Events of one key stay in order.
#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: String,
    total_cents: i64,
}

#[tokio::main]
async fn main() -> tidings::Result<()> {
    let publisher = Publisher::with(&Settings::from_env()?).await?;
    for (order_id, total_cents) in [("1042", 4990), ("1043", 1295)] {
        let order = OrderPlaced { order_id: order_id.to_owned(), total_cents };
        // It returns when the broker has acknowledged the event, and not before.
        let receipt = publisher.publish(order).await?;
        let (topic, partition, offset) = (receipt.topic, receipt.partition, receipt.offset);
        println!("order {order_id} is {topic}[{partition}]@{offset}");
    }
    publisher.close().await
}
