//! A handler is tested without a broker: an event in, events or a dead letter out.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

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
    fee_cents: i64,
}

async fn charge(order: OrderPlaced, State(fee): State<i64>) -> Result<PaymentTaken, Fail> {
    if order.total_cents < 0 {
        return Err(Fail::reject("a total below zero"));
    }
    Ok(PaymentTaken { order_id: order.order_id, fee_cents: fee })
}

/// The service as `main` would run it; a test builds the same one.
fn payments(fee_cents: i64) -> Service {
    Service::new("payments").state(fee_cents).on("charge", charge)
}

#[tokio::main]
async fn main() {
    let service = tidings::test::service(payments(30)).await;
    let order = |total_cents| OrderPlaced { order_id: "1042".into(), total_cents };

    let expected = PaymentTaken { order_id: "1042".into(), fee_cents: 30 };
    service.handle(order(4_990)).await.expect_published(expected);
    println!("an order is charged, with the fee");

    service.handle(order(-1)).await.expect_dead_letter("a total below zero");
    println!("a total below zero is a dead letter");
}
