//! Two services: one takes money and publishes that it did, the other reacts to that. Neither knows
//! the other.
//!
//! Run `tidings dev` in one terminal, and in another:
//!
//! `cargo run -p tidings --example 03_service_with_state`
//!
//! On a fresh broker it prints what stands in `03_service_with_state.out`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tidings::config::Settings;
use tidings::prelude::*;
use tokio::sync::mpsc;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = customer)]
struct OrderPlaced {
    order_id: u32,
    customer: String,
    cents: i64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.payment.taken", version = 1, topic = "payments", key = customer)]
struct PaymentTaken {
    order_id: u32,
    customer: String,
    left_cents: i64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.payment.refused", version = 1, topic = "payments", key = customer)]
struct PaymentRefused {
    order_id: u32,
    customer: String,
}

/// Either of two events comes of a charge.
#[derive(Events)]
enum Charged {
    Taken(PaymentTaken),
    Refused(PaymentRefused),
}

/// What the service keeps between events: here in memory, so a restart forgets it.
#[derive(Clone)]
struct Bank {
    accounts: Arc<Mutex<HashMap<String, i64>>>,
}

/// Consumes orders, publishes what came of them; the cause is noted in what it publishes.
async fn charge(order: OrderPlaced, State(bank): State<Bank>) -> Result<Charged, Fail> {
    let OrderPlaced { order_id, customer, cents } = order;
    let mut accounts = bank.accounts.lock().expect("no holder panics");
    let balance = accounts.entry(customer.clone()).or_default();
    if *balance < cents {
        return Ok(Charged::Refused(PaymentRefused { order_id, customer }));
    }
    *balance -= cents;
    Ok(Charged::Taken(PaymentTaken { order_id, customer, left_cents: *balance }))
}

async fn taken(payment: PaymentTaken, State(lines): State<Lines>) -> Result<(), Fail> {
    let PaymentTaken { order_id, customer, left_cents } = payment;
    lines.send(format!("order {order_id}: paid, {customer} has {left_cents} left")).or_retry()
}

async fn refused(payment: PaymentRefused, State(lines): State<Lines>) -> Result<(), Fail> {
    let PaymentRefused { order_id, customer } = payment;
    lines.send(format!("order {order_id}: {customer} has not enough")).or_retry()
}

type Lines = mpsc::UnboundedSender<String>;

#[tokio::main]
async fn main() -> tidings::Result<()> {
    let publisher = Publisher::with(&Settings::from_env()?).await?;
    for (order_id, cents) in [(1, 4_000), (2, 7_000), (3, 6_000)] {
        publisher.publish(OrderPlaced { order_id, customer: "Ada".into(), cents }).await?;
    }

    let accounts = HashMap::from([("Ada".to_owned(), 10_000)]);
    let bank = Bank { accounts: Arc::new(Mutex::new(accounts)) };
    let payments = Service::new("payments").state(bank).on("charge", charge).create_topics();

    let (lines, mut printed): (Lines, _) = mpsc::unbounded_channel();
    let receipts = Service::new("receipts")
        .state(lines)
        .on("taken", taken)
        .on("refused", refused)
        .create_topics();

    let three_lines = async move {
        for _ in 0..3 {
            println!("{}", printed.recv().await.expect("the service holds the other end"));
        }
    };
    // In earnest each is a program of its own, and says `.run()`.
    tokio::select! {
        ended = payments.run() => ended,
        ended = receipts.run_until(three_lines) => ended,
    }
}
