//! Services that talk only through events.

use std::sync::Arc;

use tidings::EventId;
use tidings::cloudevents::CloudEvent;
use tidings::prelude::*;

use super::rig::{Placed, Running, Seen, Taken, placed, records, until};
use crate::broker::Broker;

async fn charge(order: Placed) -> Result<Taken, Fail> {
    Ok(Taken { key: order.key, n: order.n })
}

async fn note(taken: Taken, State(seen): State<Seen>) -> Result<(), Fail> {
    seen.add(&taken.key, taken.n);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_returns_the_other_handles() {
    let broker = Broker::start().await;
    let seen = Seen::default();
    let payments = Running::start(Service::new("payments").on("charge", charge), &broker);
    let notes = Service::new("notes").state(seen.clone()).on("note", note);
    let notes = Running::start(notes, &broker);

    let publisher = broker.publisher().await;
    for n in 0..200 {
        drop(publisher.enqueue(placed(&format!("k{}", n % 7), n)).await.unwrap());
    }
    until("all payments", || seen.len() == 200).await;
    for key in 0..7 {
        let expected: Vec<u32> = (0..200).filter(|n| n % 7 == key).collect();
        assert_eq!(seen.of(&format!("k{key}")), expected, "order per key");
    }
    assert_eq!((payments.now().handled, payments.now().published), (200, 200));
    payments.stop().await.unwrap();
    notes.stop().await.unwrap();

    let causes: Vec<CloudEvent> = events(&broker, "orders");
    for event in events(&broker, "payments") {
        let cause = event.causation_id().expect("it has a cause");
        let cause = causes.iter().find(|c| c.id == EventId::from(cause)).expect("an order");
        assert_eq!(event.source, "/payments");
        assert_eq!(event.correlation_id(), cause.correlation_id());
        assert_eq!(event.id.as_str().as_bytes()[14], b'8', "a derived id: {}", event.id);
        let trace =
            |event: &CloudEvent| event.header_text("traceparent").unwrap()[3..35].to_owned();
        assert_eq!(trace(&event), trace(cause), "one trace");
    }
}

fn events(broker: &Broker, topic: &str) -> Vec<CloudEvent> {
    let records = records(broker, topic);
    records.iter().map(|record| CloudEvent::from_record(record).unwrap()).collect()
}

async fn by_publisher(order: Placed, publisher: Publisher) -> Result<Taken, Fail> {
    publisher.publish(Taken { key: order.key.clone(), n: order.n + 100 }).await?;
    Ok(Taken { key: order.key, n: order.n })
}

/// A handler that runs again, in another instance that knows nothing of the first run, gives its
/// events the same ids: those that it publishes itself and those that it returns.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_publishes_the_same_ids() {
    let broker = Broker::start().await;
    broker.publisher().await.publish(placed("a", 1)).await.unwrap();
    for group in ["one", "two"] {
        let service = Service::new("payments").on("charge", by_publisher).group(group);
        let service = Running::start(service, &broker);
        until("the run", || service.now().handled == 1).await;
        service.stop().await.unwrap();
    }
    let mut ids: Vec<String> =
        events(&broker, "payments").iter().map(|event| event.id.to_string()).collect();
    assert_eq!(ids.len(), 4);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2, "two events, each twice under one id: {ids:?}");
}

/// One type, two handlers of one service: one's failure neither holds nor re-runs the other.
#[tokio::test(flavor = "multi_thread")]
async fn several_handlers_may_take_one_type() {
    async fn count(order: Placed, State(seen): State<Seen>) -> Result<(), Fail> {
        seen.add("counted", order.n);
        Ok(())
    }
    async fn refuse(order: Placed, State(seen): State<Arc<Seen>>) -> Result<(), Fail> {
        seen.add("refused", order.n);
        Err(Fail::reject("no"))
    }
    let broker = Broker::start().await;
    let seen = Seen::default();
    let service = Service::new("shop")
        .state(seen.clone())
        .state(Arc::new(seen.clone()))
        .on("count", count)
        .on("refuse", refuse);
    let service = Running::start(service, &broker);
    let publisher = broker.publisher().await;
    for n in 0..10 {
        publisher.publish(placed("a", n)).await.unwrap();
    }
    until("both", || service.now().handled == 10 && service.now().dead_lettered == 10).await;
    assert_eq!(seen.of("counted"), Vec::from_iter(0..10));
    assert_eq!(seen.of("refused"), Vec::from_iter(0..10));
    service.stop().await.unwrap();
}
