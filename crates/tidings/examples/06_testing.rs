//! Handlers are tested without a broker: an event goes in, events and dead letters come out. Here
//! it is a program, so that it can print; in earnest the body of `main` is a `#[tokio::test]`.
//!
//! `cargo run -p tidings --example 06_testing` prints what stands in `06_testing.out`.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

#[derive(Clone, Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: String,
    cents: i64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.payment.taken", version = 1, topic = "payments", key = order_id)]
struct PaymentTaken {
    order_id: String,
}

async fn charge(order: OrderPlaced, meta: Meta) -> Result<PaymentTaken, Fail> {
    if order.cents < 0 {
        return Err(Fail::reject("a total below zero"));
    }
    if order.cents > 100_000 && meta.attempt < 3 {
        return Err(Fail::retry("the bank is busy"));
    }
    Ok(PaymentTaken { order_id: order.order_id })
}

/// As `main` builds it, so that the test sees what will run.
fn payments() -> Service {
    Service::new("payments").on("charge", charge)
}

#[tokio::main]
async fn main() {
    let t = tidings::test::service(payments()).await;
    let order = |cents| OrderPlaced { order_id: "1042".to_owned(), cents };

    let taken = PaymentTaken { order_id: "1042".to_owned() };
    t.handle(order(4_990)).await.expect_published(taken);
    println!("an order is charged");

    t.handle(order(-1)).await.expect_dead_letter("a total below zero");
    println!("an order that makes no sense is given up");

    // The delays between attempts pass at once.
    let handled = t.handle(order(200_000)).await;
    assert_eq!((handled.attempts(), handled.published().len()), (3, 1));
    println!("a busy bank is asked {} times", handled.attempts());

    // The same event again: what comes of it has the same id, so subscribers know it.
    let event = tidings::Draft::of(order(4_990)).id("0193f2");
    let first = t.handle(event).await;
    let again = t.handle(tidings::Draft::of(order(4_990)).id("0193f2")).await;
    assert_eq!(first.published()[0].event.id, again.published()[0].event.id);
    println!("a repeat publishes the same ids");
}
