//! Orders: how each ends, and that it ends once.

use tidings::Draft;
use tokio::sync::mpsc;

use super::events::OrderPlaced;
use super::events::heard::{ParcelShipped, PaymentRefunded, PaymentRefused};
use super::*;
use crate::Rate;
use crate::book::Statement;
use crate::testing::{Bench, bench, without_store};

async fn with_order_1() -> Bench {
    add_order_1(bench(SCHEMA, service).await).await
}

async fn add_order_1(t: Bench) -> Bench {
    let place = Statement::new(include_str!("place.sql"));
    let place = place.bind(1_i64).bind("o1").bind(4_i64).bind("1997-01-01");
    t.book.append::<(i64,)>(place.bind(2_i64).bind(2_933_i64)).await.unwrap();
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
    let t = add_order_1(without_store(SCHEMA, service).await).await;
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

/// A service that hears what is announced, until it has heard of so many orders.
async fn heard(broker: &tidings::test::Broker, orders: usize) -> Vec<(u32, String, String)> {
    let (notes, mut noted): (Notes, _) = mpsc::unbounded_channel();
    let listener = Service::new("listener").state(notes).on("note", note);
    let mut heard = Vec::new();
    let all = async {
        for _ in 0..orders {
            heard.push(noted.recv().await.unwrap());
        }
    };
    listener.settings(broker.settings()).run_until(all).await.unwrap();
    heard.sort();
    heard
}

async fn announced_are_the_sold(t: &Bench, heard: Vec<(u32, String, String)>) {
    assert_eq!(t.rows::<(i64,)>("select order_id from announced").await, [(1,), (2,)]);
    let sold: Vec<(i64, String)> = t.rows("select order_id, event_id from orders").await;
    assert_eq!(sold[0], (1, "o1".to_owned()));
    let announced = |(order_id, id)| (u32::try_from(order_id).unwrap(), "/orders".to_owned(), id);
    assert_eq!(heard, sold.into_iter().map(announced).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kill_left_unannounced_is_announced_under_its_id() {
    let t = add_order_1(without_store(SCHEMA, service).await).await;
    let broker = tidings::test::Broker::start().await;
    let publisher = Announcer::Publisher(broker.publisher().await.source("/orders"));
    let env = Env { rate: Rate::Max, orders: Some(2), ..Env::new(broker.bootstrap(), "") };
    place(&env, &t.book, &publisher).await.unwrap();
    // A second start finds nothing to do.
    place(&env, &t.book, &publisher).await.unwrap();
    announced_are_the_sold(&t, heard(&broker, 2).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_store_a_sale_and_its_event_are_one_transaction() {
    // As an earlier run without a store left it.
    let t = with_order_1().await;
    let broker = tidings::test::Broker::start().await;
    let service = t.book.keep(service(t.book.clone())).settings(broker.settings());
    let outbox = Announcer::Outbox(service.outbox().unwrap());
    let env = Env { rate: Rate::Max, orders: Some(2), ..Env::new(broker.bootstrap(), "") };
    place(&env, &t.book, &outbox).await.unwrap();
    place(&env, &t.book, &outbox).await.unwrap();
    let rows = t.rows::<(i64,)>("select count(*) from tidings_outbox").await;
    assert_eq!(rows, [(2,)], "rows, and nothing published yet");
    let mut all = Vec::new();
    let until_heard = async { all = heard(&broker, 2).await };
    service.create_topics().run_until(until_heard).await.unwrap();
    announced_are_the_sold(&t, all).await;
}
