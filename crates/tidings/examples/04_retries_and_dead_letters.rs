//! What happens when a handler fails: by the type of its failure, the event is tried again or given
//! up. What is given up lies in a dead letter topic with its reason, and other keys go on.
//!
//! Run `tidings dev` in one terminal, and in another:
//!
//! `cargo run -p tidings --example 04_retries_and_dead_letters`
//!
//! On a fresh broker it prints what stands in `04_retries_and_dead_letters.out`.

use serde::{Deserialize, Serialize};
use tidings::cloudevents::Record;
use tidings::config::Settings;
use tidings::dead_letter::DeadLetter;
use tidings::prelude::*;
use tokio::sync::mpsc;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = customer)]
struct OrderPlaced {
    order_id: u32,
    customer: String,
    cents: i64,
}

#[derive(Debug)]
struct BankIsBusy;
impl std::error::Error for BankIsBusy {}
impl std::fmt::Display for BankIsBusy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bank is busy")
    }
}

async fn charge(order: OrderPlaced, meta: Meta, State(lines): State<Lines>) -> Result<(), Fail> {
    let OrderPlaced { order_id, cents, .. } = order;
    if cents < 0 {
        // No repeat can help: given up at once.
        return Err(Fail::reject(format!("order {order_id} costs {cents} cents")));
    }
    // Any error by `?` is tried again: once at once, then with growing delays.
    ask_bank(order_id, meta.attempt)?;
    lines.send(format!("order {order_id}: paid at attempt {}", meta.attempt)).or_retry()
}

fn ask_bank(order_id: u32, attempt: u32) -> Result<(), BankIsBusy> {
    if order_id == 1 && attempt == 1 { Err(BankIsBusy) } else { Ok(()) }
}

/// The same event as it lies in the dead letter topic, byte for byte, with headers that say why.
#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1)]
#[event(topic = "orders.payments.dlq", no_key)]
struct OrderGivenUp {
    order_id: u32,
}

async fn look(order: OrderGivenUp, record: Record, State(lines): State<Lines>) -> Result<(), Fail> {
    let letter = DeadLetter::read(&record).ok_or("no dead letter").or_reject()?;
    let handler = letter.handler.unwrap_or_default();
    let message = letter.message.unwrap_or_default();
    lines.send(format!("order {}: `{handler}` gave up: {message}", order.order_id)).or_retry()
}

type Lines = mpsc::UnboundedSender<String>;

#[tokio::main]
async fn main() -> tidings::Result<()> {
    let publisher = Publisher::with(&Settings::from_env()?).await?;
    // One customer's, so that they are handled one after the other.
    for (order_id, cents) in [(1, 4_990), (2, -5), (3, 1_295)] {
        publisher.publish(OrderPlaced { order_id, customer: "Ada".into(), cents }).await?;
    }

    let (lines, mut printed): (Lines, _) = mpsc::unbounded_channel();
    let payments = Service::new("payments").state(lines).on("charge", charge).create_topics();
    let two_lines = async move {
        for _ in 0..2 {
            println!("{}", printed.recv().await.expect("the service holds the other end"));
        }
    };
    payments.run_until(two_lines).await?;

    let (lines, mut printed): (Lines, _) = mpsc::unbounded_channel();
    let support = Service::new("support").state(lines).on("look", look).create_topics();
    let one_line = async move {
        println!("{}", printed.recv().await.expect("the service holds the other end"));
    };
    support.run_until(one_line).await
}
