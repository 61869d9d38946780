//! A fact becomes an event; `publish` returns when the broker has acknowledged it.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: String,
    total_cents: i64,
}

#[tokio::main]
async fn main() -> tidings::Result<()> {
    // A broker of this program's own; in a service it would be `Publisher::connect("host:9092")`.
    let broker = tidings::test::Broker::start().await;
    let publisher = broker.publisher().await;

    for (order_id, total_cents) in [("1042", 4_990), ("1043", 1_295), ("1042", -4_990)] {
        let receipt =
            publisher.publish(OrderPlaced { order_id: order_id.into(), total_cents }).await?;
        // The same key is always in the same partition, and that keeps its order.
        println!("order {order_id} is at orders[{}]@{}", receipt.partition.0, receipt.offset.0);
    }
    publisher.close().await?;
    broker.stop().await;
    Ok(())
}
