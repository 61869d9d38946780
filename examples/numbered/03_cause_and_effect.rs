//! What a handler returns is published, with the event that it handled as its cause.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: String,
    total_cents: i64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.payment.taken", version = 1, topic = "payments", key = order_id)]
struct PaymentTaken {
    order_id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.payment.refused", version = 1, topic = "payments", key = order_id)]
struct PaymentRefused {
    order_id: String,
    reason: String,
}

/// One of several: the handler's type says all that it may publish.
#[derive(Events)]
enum Charged {
    Taken(PaymentTaken),
    Refused(PaymentRefused),
}

async fn charge(order: OrderPlaced) -> Result<Charged, Fail> {
    let order_id = order.order_id;
    if order.total_cents > 100_000 {
        let reason = "over the limit".to_owned();
        return Ok(Charged::Refused(PaymentRefused { order_id, reason }));
    }
    Ok(Charged::Taken(PaymentTaken { order_id }))
}

type Told = UnboundedSender<String>;

async fn tell_taken(paid: PaymentTaken, meta: Meta, told: State<Told>) -> Result<(), Fail> {
    told.0.send(format!("{} is paid, says {}", paid.order_id, meta.source))?;
    Ok(())
}

async fn tell_refused(no: PaymentRefused, meta: Meta, told: State<Told>) -> Result<(), Fail> {
    told.0.send(format!("{} is not paid: {}, says {}", no.order_id, no.reason, meta.source))?;
    Ok(())
}

#[tokio::main]
async fn main() -> tidings::Result<()> {
    let broker = tidings::test::Broker::start().await;
    let publisher = broker.publisher().await;
    for (order_id, total_cents) in [("1042", 4_990), ("1043", 250_000)] {
        publisher.publish(OrderPlaced { order_id: order_id.into(), total_cents }).await?;
    }

    let (told, mut heard) = unbounded_channel::<String>();
    let payments = Service::new("payments")
        .settings(broker.settings())
        .on("charge", charge)
        .run_until(forever());
    let notifications = Service::new("notifications")
        .settings(broker.settings())
        .state(told)
        .on("taken", tell_taken)
        .on("refused", tell_refused)
        .run_until(forever());
    let two_lines = async {
        let mut lines = [heard.recv().await, heard.recv().await].map(Option::unwrap_or_default);
        // Different keys run side by side: which one is first is nobody's promise.
        lines.sort();
        lines
    };
    // Neither service calls the other: they meet in topics only.
    tokio::select! {
        ended = payments => ended?,
        ended = notifications => ended?,
        lines = two_lines => println!("{}", lines.join("\n")),
    }
    broker.stop().await;
    Ok(())
}

async fn forever() {
    std::future::pending().await
}
