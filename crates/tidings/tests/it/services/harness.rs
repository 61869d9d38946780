//! The harness that users test their handlers with, no broker anywhere.

use std::time::Duration;

use tidings::Draft;
use tidings::cloudevents::Record;
use tidings::prelude::*;
use tidings::test::service;

use super::rig::{Placed, Seen, Taken, placed};

async fn charge(
    order: Placed,
    meta: Meta,
    State(seen): State<Seen>,
) -> Result<Option<Taken>, Fail> {
    seen.add(&order.key, meta.attempt);
    match order.key.as_str() {
        "free" => Ok(None),
        "late" if meta.attempt < 4 => Err("busy").or_retry(),
        "never" => Err("busy").or_retry(),
        "wrong" => Err(Fail::reject("no such customer")),
        _ => Ok(Some(Taken { key: order.key, n: order.n })),
    }
}

fn payments() -> (Service, Seen) {
    let seen = Seen::default();
    (Service::new("payments").state(seen.clone()).on("charge", charge), seen)
}

#[tokio::test]
async fn an_event_in_effects_out() {
    let t = service(payments().0).await;
    let taken = t.handle(placed("a", 7)).await.expect_published(Taken { key: "a".into(), n: 7 });
    assert_eq!(taken.published_of::<Taken>().len(), 1);
    assert_eq!(taken.published()[0].event.source, "/payments");
    t.handle(placed("free", 1)).await.expect_nothing();
    let wrong = t.handle(placed("wrong", 1)).await.expect_dead_letter("no such customer");
    assert_eq!((wrong.attempts(), wrong.dead_letters()[0].letter.attempts), (1, Some(1)));
}

#[tokio::test]
async fn retries_pass_without_waiting() {
    let (payments, seen) = payments();
    let t = service(payments).await;
    let began = std::time::Instant::now();
    let late = t.handle(placed("late", 7)).await;
    assert_eq!((late.attempts(), seen.of("late")), (4, vec![1, 2, 3, 4]));
    assert!(late.waited() > Duration::from_secs(4), "{:?}", late.waited());
    late.expect_published(Taken { key: "late".into(), n: 7 });
    let never = t.handle(placed("never", 1)).await.expect_dead_letter("busy");
    assert_eq!(never.attempts(), 5);
    assert!(never.waited() <= Duration::from_secs(30));
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn the_same_event_gives_the_same_ids() {
    let t = service(payments().0).await;
    let event = || Draft::of(placed("a", 7)).id("0193f2a0-0000-7000-8000-000000000001");
    let (one, two) = (t.handle(event()).await, t.handle(event()).await);
    assert_eq!(one.published()[0].event.id, two.published()[0].event.id);
    assert_eq!(
        one.published()[0].event.causation_id(),
        Some("0193f2a0-0000-7000-8000-000000000001")
    );
}

#[tokio::test]
async fn strangers_are_dead_letters_or_pass_by() {
    let t = service(payments().0).await;
    let record =
        Record { topic: "orders".into(), value: Some("hello".into()), ..Record::default() };
    t.handle_record(record).await.expect_dead_letter("is no event");
    t.handle(Taken { key: "a".into(), n: 1 }).await.expect_passed_by();
}

#[tokio::test]
#[should_panic(expected = "published: test.payment.taken.v1")]
async fn a_wrong_expectation_tells_what_came_instead() {
    let t = service(payments().0).await;
    t.handle(placed("a", 7)).await.expect_published(Taken { key: "b".into(), n: 7 });
}

async fn publishes_by_itself(order: Placed, publisher: Publisher) -> Result<Taken, Fail> {
    publisher.publish(Taken { key: order.key.clone(), n: 1 }).await?;
    Ok(Taken { key: order.key, n: 2 })
}

/// What a handler publishes through its argument is seen like what it returns: before it, with the
/// same cause, and under an id that a second run gives it again.
#[tokio::test]
async fn what_a_handler_publishes_by_itself_is_caught() {
    let t = service(Service::new("payments").on("charge", publishes_by_itself)).await;
    let cause = || Draft::of(placed("a", 0)).id("cause-1");
    let first = t.handle(cause()).await;
    let events: Vec<_> = first.published().iter().map(|ready| &ready.event).collect();
    let numbers: Vec<u32> = first.published_of::<Taken>().iter().map(|taken| taken.n).collect();
    assert_eq!(numbers, [1, 2]);
    let causes = events.iter().map(|event| event.extensions.get("causationid").unwrap().as_str());
    assert_eq!(causes.collect::<Vec<_>>(), ["cause-1", "cause-1"]);
    let ids = |handled: &tidings::test::Handled| -> Vec<String> {
        handled.published().iter().map(|ready| ready.event.id.to_string()).collect()
    };
    assert_eq!(ids(&first), ids(&t.handle(cause()).await));
}
