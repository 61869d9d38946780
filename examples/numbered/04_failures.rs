//! Try again, or never: an error is retried, a reject is a dead letter, and other keys go on.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use tidings::prelude::*;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: String,
}

type Done = UnboundedSender<String>;

static CALLS_OF_THE_BANK: AtomicU32 = AtomicU32::new(0);

async fn charge(order: OrderPlaced, State(done): State<Done>) -> Result<(), Fail> {
    match order.order_id.as_str() {
        // `?` on any error means: try again, at once and then with growing delays.
        "flaky" if CALLS_OF_THE_BANK.fetch_add(1, Ordering::Relaxed) < 2 => {
            Err(std::io::Error::other("the bank does not answer"))?;
        }
        // A reject means: this will never succeed. It goes to orders.payments.dlq with its reason.
        "broken" => return Err(Fail::reject("no such customer")),
        _ => {}
    }
    done.send(format!("charged {}", order.order_id))?;
    Ok(())
}

#[tokio::main]
async fn main() -> tidings::Result<()> {
    let broker = tidings::test::Broker::start().await;
    let publisher = broker.publisher().await;
    for order_id in ["flaky", "broken", "good"] {
        publisher.publish(OrderPlaced { order_id: order_id.into() }).await?;
    }

    let (done, mut charged) = unbounded_channel::<String>();
    let service =
        Service::new("payments").settings(broker.settings()).state(done).on("charge", charge);
    let stats = service.stats();
    let mut lines = Vec::new();
    service
        .run_until(async {
            while lines.len() < 2 || stats.snapshot().dead_lettered < 1 {
                tokio::select! {
                    Some(line) = charged.recv() => lines.push(line),
                    () = tokio::time::sleep(std::time::Duration::from_millis(10)) => {}
                }
            }
        })
        .await?;
    lines.sort();
    println!("{}", lines.join("\n"));
    let now = stats.snapshot();
    println!("{} handled, {} retried, {} dead letter", now.handled, now.retried, now.dead_lettered);
    broker.stop().await;
    Ok(())
}
