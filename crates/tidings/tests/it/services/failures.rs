//! Handlers that fail: retries while the lane waits, dead letters, other keys going on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tidings::Retries;
use tidings::dead_letter::DeadLetter;
use tidings::prelude::*;

use super::rig::{Placed, Running, Seen, placed, records, until};
use crate::broker::Broker;

/// Retries that a test can wait for.
fn quick() -> Retries {
    Retries::default().delays_up_to(Duration::from_millis(200))
}

async fn fail_bad(order: Placed, meta: Meta, State(seen): State<Seen>) -> Result<(), Fail> {
    seen.add(&format!("{} attempt {}", order.key, meta.attempt), order.n);
    if order.key == "bad" && order.n == 0 {
        Err::<(), _>(std::io::Error::other("the bank says no")).or_retry()?;
    }
    seen.add(&order.key, order.n);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn five_attempts_then_a_dead_letter_with_everything_in_its_headers() {
    let broker = Broker::start().await;
    let seen = Seen::default();
    let service = Service::new("payments").retries(quick()).state(seen.clone());
    let service = service.instance("payments-0").on("charge", fail_bad);
    let service = Running::start(service, &broker);
    let publisher = broker.publisher().await;
    let receipt = publisher.publish(placed("bad", 0)).await.unwrap();
    publisher.publish(placed("bad", 1)).await.unwrap();
    until("its key going on", || seen.of("bad") == [1]).await;
    let attempts: Vec<String> = seen.all().into_iter().map(|(what, _)| what).collect();
    let expected = (1..=5).map(|n| format!("bad attempt {n}"));
    let expected: Vec<String> = expected.chain(["bad attempt 1".into(), "bad".into()]).collect();
    assert_eq!(attempts, expected, "all attempts come before the key's next event");
    assert_eq!(service.now().dead_lettered, 1);
    service.stop().await.unwrap();

    let original = records(&broker, "orders").into_iter().find(|r| r.offset == receipt.offset);
    let original = original.expect("the event itself");
    let copies = records(&broker, "orders.payments.dlq");
    assert_eq!(copies.len(), 1);
    let copy = &copies[0];
    assert_eq!((&copy.key, &copy.value), (&original.key, &original.value));
    assert_eq!(copy.headers[..original.headers.len()], original.headers[..], "byte for byte");
    let letter = DeadLetter::read(copy).expect("a dead letter");
    assert_eq!(letter.topic, "orders");
    assert_eq!(letter.partition, Some(receipt.partition));
    assert_eq!(letter.offset, Some(receipt.offset));
    assert_eq!(letter.group.as_deref(), Some("payments"));
    assert_eq!(letter.handler.as_deref(), Some("charge"));
    assert_eq!(letter.member.as_deref(), Some("payments-0"));
    assert_eq!(letter.stage.as_deref(), Some("handle"));
    assert_eq!(letter.error_class.as_deref(), Some("std::io::error::Error"));
    assert_eq!(letter.message.as_deref(), Some("the bank says no"));
    assert!(letter.stacktrace.unwrap().contains("services/failures.rs:"));
    assert_eq!(letter.attempts, Some(5));
    assert!(letter.first_failed_at.unwrap() < letter.last_failed_at.unwrap());
    assert_eq!(letter.fingerprint.unwrap().len(), 16);
    assert_eq!(letter.retryable, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_poisoned_key_holds_up_nobody_else() {
    let broker = Broker::start().await;
    let seen = Seen::default();
    // One slot: a lane that waits for its next attempt must not keep it.
    let service = Service::new("payments").concurrency(1).state(seen.clone());
    let slow = Retries::default().delays_up_to(Duration::from_secs(20));
    let service = Running::start(service.retries(slow).on("charge", fail_bad), &broker);
    let publisher = broker.publisher().await;
    publisher.publish(placed("bad", 0)).await.unwrap();
    publisher.publish(placed("bad", 1)).await.unwrap();
    for n in 0..50 {
        publisher.publish(placed("good", n)).await.unwrap();
    }
    until("the other key", || seen.of("good").len() == 50).await;
    assert_eq!(seen.of("good"), Vec::from_iter(0..50));
    assert_eq!(seen.of("bad"), [0; 0], "its own key waits");
    service.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_reject_with_its_place() {
    async fn panics(order: Placed, State(seen): State<Seen>) -> Result<(), Fail> {
        seen.add("run", order.n);
        tokio::task::yield_now().await;
        assert_ne!(order.n, 3, "three is no number");
        Ok(())
    }
    let broker = Broker::start().await;
    let seen = Seen::default();
    let service = Service::new("payments").state(seen.clone()).on("charge", panics);
    let service = Running::start(service, &broker);
    let publisher = broker.publisher().await;
    for n in 0..6 {
        publisher.publish(placed("a", n)).await.unwrap();
    }
    until("all", || service.now().handled == 5 && service.now().dead_lettered == 1).await;
    assert_eq!(seen.of("run"), Vec::from_iter(0..6), "one attempt each");
    service.stop().await.unwrap();
    let letter = DeadLetter::read(&records(&broker, "orders.payments.dlq")[0]).unwrap();
    assert!(letter.message.unwrap().contains("three is no number"));
    assert!(letter.stacktrace.unwrap().contains("failures.rs:"));
    assert_eq!((letter.error_class.as_deref(), letter.attempts), (Some("panic"), Some(1)));
    assert_eq!(letter.retryable, Some(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_takes_too_long_is_cancelled_and_tried_again() {
    async fn hangs(order: Placed, meta: Meta, State(seen): State<Seen>) -> Result<(), Fail> {
        if order.n == 0 && meta.attempt < 3 {
            std::future::pending::<()>().await;
        }
        seen.add(&order.key, meta.attempt);
        Ok(())
    }
    let broker = Broker::start().await;
    let seen = Seen::default();
    let service = Service::new("payments").retries(quick()).state(seen.clone());
    let service = service.on("charge", hangs).timeout(Duration::from_millis(50));
    let service = Running::start(service, &broker);
    broker.publisher().await.publish(placed("a", 0)).await.unwrap();
    until("the third attempt", || seen.of("a") == [3]).await;
    assert_eq!(service.now().retried, 2);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_away_counts_no_attempt() {
    static TRIES: AtomicU32 = AtomicU32::new(0);
    async fn away(_: Placed, meta: Meta) -> Result<(), Fail> {
        if TRIES.fetch_add(1, Ordering::SeqCst) < 6 {
            return Err("the bank is closed").or_down();
        }
        assert_eq!(meta.attempt, 7);
        Ok(())
    }
    let broker = Broker::start().await;
    let retries = Retries::default().attempts(2);
    let service = Service::new("payments").retries(retries).on("charge", away);
    let service = Running::start(service, &broker);
    broker.publisher().await.publish(placed("a", 0)).await.unwrap();
    until("the bank to open", || service.now().handled == 1).await;
    assert_eq!((service.now().retried, service.now().dead_lettered), (6, 0));
    service.stop().await.unwrap();
}

/// Keys keep their order whatever fails, at whichever await, and however often.
#[tokio::test(flavor = "multi_thread")]
async fn order_per_key_survives_random_failures() {
    async fn dice(order: Placed, meta: Meta, State(seen): State<Seen>) -> Result<(), Fail> {
        // A cheap mix of what differs from attempt to attempt.
        let mix = (order.n.wrapping_mul(2_654_435_761) ^ (meta.attempt * 40_503)) >> 7;
        if mix.is_multiple_of(3) {
            tokio::time::sleep(Duration::from_micros(u64::from(mix % 500))).await;
        }
        if mix.is_multiple_of(5) && meta.attempt < 5 {
            return Err("bad luck").or_retry();
        }
        seen.add(&order.key, order.n);
        Ok(())
    }
    static RUNNING: Mutex<Vec<String>> = Mutex::new(Vec::new());
    async fn alone(order: Placed, meta: Meta, seen: State<Seen>) -> Result<(), Fail> {
        let key = order.key.clone();
        {
            let mut running = RUNNING.lock().unwrap();
            assert!(!running.contains(&key), "two events of one key at a time");
            running.push(key.clone());
        }
        let result = dice(order, meta, seen).await;
        RUNNING.lock().unwrap().retain(|k| *k != key);
        result
    }
    let broker = Broker::start().await;
    let seen = Seen::default();
    let service = Service::new("payments").retries(quick()).concurrency(8);
    let service = Running::start(service.state(seen.clone()).on("charge", alone), &broker);
    let publisher = broker.publisher().await;
    for n in 0..1000 {
        drop(publisher.enqueue(placed(&format!("k{}", n % 13), n)).await.unwrap());
    }
    until("all", || seen.len() == 1000).await;
    for key in 0..13 {
        let expected: Vec<u32> = (0..1000).filter(|n| n % 13 == key).collect();
        assert_eq!(seen.of(&format!("k{key}")), expected);
    }
    assert!(service.now().retried > 50, "{:?}", service.now());
    assert_eq!(service.now().dead_lettered, 0);
    service.stop().await.unwrap();
}
