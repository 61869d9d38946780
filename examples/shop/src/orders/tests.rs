//! Orders: how each ends, and that it ends once.

use tidings::Draft;
use tokio::sync::mpsc;

use super::events::OrderPlaced;
use super::events::heard::{ParcelShipped, PaymentRefunded, PaymentRefused};
use super::*;
use crate::Rate;
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

/// Hands on the id and the order of what was announced.
async fn note(order: OrderPlaced, meta: Meta, State(notes): State<Notes>) -> Result<(), Fail> {
    notes.send((order.order_id, meta.source, meta.id.to_string())).or_retry()
}

type Notes = mpsc::UnboundedSender<(u32, String, String)>;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kill_left_unannounced_is_announced_under_its_id() {
    let t = with_order_1().await;
    let broker = tidings::test::Broker::start().await;
    let publisher = broker.publisher().await.source("/orders");
    let env = Env { rate: Rate::Max, orders: Some(2), ..Env::new(broker.bootstrap(), "") };
    place(&env, &t.book, &publisher).await.unwrap();
    // A second start finds nothing to do.
    place(&env, &t.book, &publisher).await.unwrap();
    assert_eq!(t.rows::<(u32,)>("select order_id from announced").await, [(1,), (2,)]);

    let (notes, mut noted): (Notes, _) = mpsc::unbounded_channel();
    let listener = Service::new("listener").state(notes).on("note", note);
    let mut heard = Vec::new();
    let both = async {
        for _ in 0..2 {
            heard.push(noted.recv().await.unwrap());
        }
    };
    listener.settings(broker.settings()).run_until(both).await.unwrap();
    heard.sort();
    let sold: Vec<(u32, String)> = t.rows("select order_id, event_id from orders").await;
    assert_eq!(sold[0], (1, "o1".to_owned()));
    let announced = |(order_id, id)| (order_id, "/orders".to_owned(), id);
    assert_eq!(heard, sold.into_iter().map(announced).collect::<Vec<_>>());
}
