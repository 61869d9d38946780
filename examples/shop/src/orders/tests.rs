//! Orders: how each ends, and that it ends once.

use tidings::Draft;

use super::events::heard::{ParcelShipped, PaymentRefunded, PaymentRefused};
use super::*;
use crate::testing::{Bench, bench};

async fn with_order_1() -> Bench {
    let t = bench(SCHEMA, service).await;
    let place = sqlx::query_as::<_, (i64,)>(include_str!("place.sql"));
    let place = place.bind(1).bind("o1").bind(4).bind("1997-01-01").bind(2).bind(2_933);
    t.book.append(place).await.unwrap();
    t
}

#[tokio::test]
async fn each_end_is_one_event_of_another_service() {
    let t = with_order_1().await;
    let handled = t.harness.handle(ParcelShipped { order_id: 1 }).await;
    handled.expect_published(OrderCompleted { order_id: 1 });

    let t = with_order_1().await;
    let handled = t.harness.handle(PaymentRefused { order_id: 1 }).await;
    handled.expect_published(OrderRefused { order_id: 1 });

    let t = with_order_1().await;
    let handled = t.harness.handle(PaymentRefunded { order_id: 1 }).await;
    handled.expect_published(OrderCancelled { order_id: 1 });
}

#[tokio::test]
async fn a_closed_order_stays_as_it_was_closed() {
    let t = with_order_1().await;
    let shipped = || Draft::of(ParcelShipped { order_id: 1 }).id("e1");
    t.harness.handle(shipped()).await.expect_published(OrderCompleted { order_id: 1 });
    t.harness.handle(shipped()).await.expect_published(OrderCompleted { order_id: 1 });
    assert_eq!(t.effects().await, (2, 1));
    let late = t.harness.handle(PaymentRefunded { order_id: 1 }).await;
    late.expect_published(OrderCompleted { order_id: 1 });
}

#[tokio::test]
async fn an_order_of_somebody_else_is_not_closed_here() {
    let t = with_order_1().await;
    let handled = t.harness.handle(ParcelShipped { order_id: 2 }).await;
    handled.expect_dead_letter("order 2 was never placed here");
}
