//! A service: its handlers are found by the type that they take; events of one key come in order.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: String,
    item: String,
}

/// What a handler needs comes as arguments: the event, what is known about it, the service's state.
async fn pack(order: OrderPlaced, meta: Meta, State(done): State<Done>) -> Result<(), Fail> {
    done.send(format!("{}: {} (from {})", order.order_id, order.item, meta.source))?;
    Ok(())
}

type Done = UnboundedSender<String>;

#[tokio::main]
async fn main() -> tidings::Result<()> {
    let broker = tidings::test::Broker::start().await;
    let publisher = broker.publisher().await.source("/shop");
    for item in ["kind of blue", "a love supreme", "mingus ah um"] {
        let (order_id, item) = ("1042".to_owned(), item.to_owned());
        publisher.publish(OrderPlaced { order_id, item }).await?;
    }

    let (done, mut packed) = unbounded_channel::<String>();
    let warehouse =
        Service::new("warehouse").settings(broker.settings()).state(done).on("pack", pack);
    // `.run()` runs until SIGTERM; here it ends when three are packed.
    warehouse
        .run_until(async move {
            for _ in 0..3 {
                println!("{}", packed.recv().await.unwrap_or_default());
            }
        })
        .await?;
    broker.stop().await;
    Ok(())
}
