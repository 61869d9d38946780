//! Shipping: the carrier's rule, and that a busy carrier costs an attempt and nothing else.

use tidings::Draft;

use super::events::heard::StockReserved;
use super::*;
use crate::testing::{bench, without_store};

fn reserved(order_id: u32) -> StockReserved {
    StockReserved { order_id, customer: 4, cds: 2 }
}

fn shipped(order_id: u32) -> ParcelShipped {
    ParcelShipped { order_id, customer: 4, cds: 2 }
}

#[test]
fn the_carrier_is_busy_at_first_for_some_and_has_no_way_to_others() {
    for (order_id, attempt, answer) in [
        (1, 1, Ok(Answer::Shipped)),
        (37, 1, Ok(Answer::Failed)),
        (37, 2, Ok(Answer::Failed)),
        (50, 1, Err(CarrierBusy)),
        (50, 2, Ok(Answer::Shipped)),
        (1_850, 1, Err(CarrierBusy)),
        (1_850, 2, Ok(Answer::Failed)),
    ] {
        assert_eq!(carrier(order_id, attempt), answer, "{order_id} {attempt}");
    }
}

#[tokio::test]
async fn a_parcel_is_shipped_or_fails() {
    let t = bench(SCHEMA, service).await;
    t.harness.handle(reserved(1)).await.expect_published(shipped(1));
    let failed = ParcelFailed { order_id: 37, customer: 4, cds: 2 };
    t.harness.handle(reserved(37)).await.expect_published(failed);
    assert_eq!(t.effects().await, (2, 2));
}

#[tokio::test]
async fn a_busy_carrier_is_asked_again() {
    let t = bench(SCHEMA, service).await;
    let handled = t.harness.handle(reserved(50)).await;
    assert_eq!(handled.attempts(), 2);
    handled.expect_published(shipped(50));
    assert_eq!(t.rows::<(i64, i64)>("select order_id, attempt from parcels").await, [(50, 2)]);
}

#[tokio::test]
async fn without_a_store_a_repeat_gets_the_first_decision_and_is_a_duplicate() {
    let t = without_store(SCHEMA, service).await;
    t.harness.handle(Draft::of(reserved(1)).id("e1")).await.expect_published(shipped(1));
    t.rows::<(i64,)>("update parcels set outcome = 'failed' returning seq").await;
    let repeat = t.harness.handle(Draft::of(reserved(1)).id("e1")).await;
    repeat.expect_published(ParcelFailed { order_id: 1, customer: 4, cds: 2 });
    assert_eq!(t.effects().await, (2, 1));
}
