//! Inventory: the shelf's rule, and that goods move once per decision however often it is asked.

use tidings::Draft;

use super::events::heard::{ParcelFailed, PaymentTaken};
use super::*;
use crate::testing::{bench, without_store};

fn paid(order_id: u32, cds: u32) -> PaymentTaken {
    PaymentTaken { order_id, customer: 4, cds }
}

fn reserved(order_id: u32, cds: u32) -> StockReserved {
    StockReserved { order_id, customer: 4, cds }
}

#[test]
fn the_shelf_holds_nine() {
    for (cds, answer) in [(0, Answer::Reserved), (9, Answer::Reserved), (10, Answer::Short)] {
        assert_eq!(shelf(cds), answer, "{cds}");
    }
}

#[tokio::test]
async fn stock_is_reserved_or_short() {
    let t = bench(SCHEMA, service).await;
    t.harness.handle(paid(1, 9)).await.expect_published(reserved(1, 9));
    t.harness.handle(paid(2, 10)).await.expect_published(StockShort { order_id: 2, cds: 10 });
    assert_eq!(t.effects().await, (2, 2));
}

#[tokio::test]
async fn without_a_store_a_repeat_gets_the_first_decision_and_is_a_duplicate() {
    let t = without_store(SCHEMA, service).await;
    t.harness.handle(Draft::of(paid(1, 9)).id("e1")).await.expect_published(reserved(1, 9));
    // The rule alone would call ten short.
    let repeat = t.harness.handle(Draft::of(paid(1, 10)).id("e1")).await;
    assert_eq!(repeat.published_of::<StockShort>().len(), 0);
    assert_eq!(repeat.published_of::<StockReserved>().len(), 1);
    assert_eq!(t.effects().await, (2, 1));
}

#[tokio::test]
async fn what_cannot_be_shipped_comes_back() {
    let t = bench(SCHEMA, service).await;
    t.harness.handle(paid(1, 3)).await.expect_published(reserved(1, 3));
    let returned = StockReturned { order_id: 1, cds: 3 };
    t.harness.handle(ParcelFailed { order_id: 1 }).await.expect_published(returned);
}

#[tokio::test]
async fn what_was_not_set_aside_does_not_come_back() {
    let t = bench(SCHEMA, service).await;
    let _ = t.harness.handle(paid(1, 10)).await;
    for order_id in [1, 7] {
        let handled = t.harness.handle(ParcelFailed { order_id }).await;
        handled.expect_dead_letter(&format!("nothing was set aside for order {order_id}"));
    }
    assert_eq!(t.rows::<(i64,)>("select count(*) from returns").await, [(0,)]);
}
