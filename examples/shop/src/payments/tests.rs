//! Payments: what comes of the bank's answers, and that money moves once per decision however often
//! it is asked.

use std::time::{Duration, UNIX_EPOCH};

use tidings::Draft;

use super::events::heard::{OrderPlaced, StockReturned, StockShort};
use super::*;
use crate::testing::{bench, without_store};

fn order(order_id: u32, customer: u32, total_cents: i64) -> OrderPlaced {
    OrderPlaced { order_id, customer, cds: 2, total_cents }
}

fn taken(order_id: u32) -> PaymentTaken {
    PaymentTaken { order_id, customer: 4, cds: 2, cents: 2_933 }
}

/// Payments with a bank that works.
fn service(book: Book) -> Service {
    super::service(book, Bank::beside("no such directory".as_ref()))
}

#[tokio::test]
async fn an_order_is_charged_or_refused() {
    let t = bench(SCHEMA, service).await;
    t.harness.handle(order(1, 4, 2_933)).await.expect_published(taken(1));
    let refused = PaymentRefused { order_id: 2, customer: 29, cents: 2_933 };
    t.harness.handle(order(2, 29, 2_933)).await.expect_published(refused);
    let free = PaymentTaken { order_id: 3, customer: 29, cds: 2, cents: 0 };
    t.harness.handle(order(3, 29, 0)).await.expect_published(free);
    assert_eq!(t.effects().await, (3, 3));
}

#[tokio::test]
async fn without_a_store_a_repeat_gets_the_first_decision_and_is_a_duplicate() {
    let t = without_store(SCHEMA, service).await;
    let first = t.harness.handle(Draft::of(order(1, 4, 2_933)).id("e1")).await;
    // The rule alone would refuse this customer.
    let repeat = t.harness.handle(Draft::of(order(1, 29, 2_933)).id("e1")).await;
    for handled in [&first, &repeat] {
        assert_eq!(handled.published_of::<PaymentTaken>().len(), 1);
    }
    assert_eq!(first.published()[0].event.id, repeat.published()[0].event.id);
    assert_eq!(t.effects().await, (2, 1));
}

#[tokio::test]
async fn with_a_store_a_repeat_is_recognised() {
    let t = bench(SCHEMA, service).await;
    let first = t.harness.handle(Draft::of(order(1, 4, 2_933)).id("e1")).await;
    first.expect_published(taken(1));
    t.harness.handle(Draft::of(order(1, 4, 2_933)).id("e1")).await.expect_duplicate();
    assert_eq!(t.effects().await, (1, 1));
}

#[tokio::test]
async fn a_refund_is_what_was_taken() {
    let t = bench(SCHEMA, service).await;
    for order_id in [1, 2] {
        t.harness.handle(order(order_id, 4, 2_933)).await.expect_published(taken(order_id));
    }
    let refunded = |order_id| PaymentRefunded { order_id, customer: 4, cents: 2_933 };
    t.harness.handle(StockShort { order_id: 1 }).await.expect_published(refunded(1));
    t.harness.handle(StockReturned { order_id: 2 }).await.expect_published(refunded(2));
}

#[tokio::test]
async fn what_was_not_taken_is_not_given_back() {
    let t = bench(SCHEMA, service).await;
    let _ = t.harness.handle(order(1, 29, 2_933)).await;
    for order_id in [1, 7] {
        let handled = t.harness.handle(StockShort { order_id }).await;
        handled.expect_dead_letter(&format!("nothing was taken for order {order_id}"));
    }
    assert_eq!(t.rows::<(i64,)>("select count(*) from refunds").await, [(0,)]);
}

#[tokio::test]
async fn a_card_that_the_bank_cannot_read_is_parked_until_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let bank = Bank::beside(directory.path());
    bank.open().unwrap();
    bank.spoil_cards().unwrap();
    let t = bench(SCHEMA, |book| super::service(book, bank.clone())).await;
    let handled = t.harness.handle(order(8, 71, 2_933)).await;
    assert_eq!(handled.attempts(), 1, "another one would not help");
    handled.expect_dead_letter("the bank cannot read the card of customer 71");
    assert_eq!(t.effects().await, (0, 0));

    std::fs::remove_file(bank.unreadable_cards()).unwrap();
    let taken = PaymentTaken { order_id: 8, customer: 71, cds: 2, cents: 2_933 };
    t.harness.redrive().await.expect_published(taken);
    assert_eq!(t.effects().await, (1, 1));
}

#[tokio::test]
async fn while_the_bank_is_away_no_attempt_counts() {
    let directory = tempfile::tempdir().unwrap();
    let bank = Bank::beside(directory.path());
    bank.open().unwrap();
    let an_hour = UNIX_EPOCH.elapsed().unwrap() + Duration::from_secs(3_600);
    std::fs::write(bank.away(), an_hour.as_millis().to_string()).unwrap();
    let t = bench(SCHEMA, |book| super::service(book, bank.clone())).await;
    let handled = t.harness.handle(order(1, 4, 2_933)).await;
    assert!(handled.attempts() > 5, "more than an error would get: {handled:?}");
    handled.expect_waiting("the bank does not answer");
    assert_eq!(t.effects().await, (0, 0));

    std::fs::remove_file(bank.away()).unwrap();
    t.harness.handle(order(1, 4, 2_933)).await.expect_published(taken(1));
    assert_eq!(t.effects().await, (1, 1));
}
