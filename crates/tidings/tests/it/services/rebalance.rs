//! Instances that come and go: partitions move, nothing is lost, keys keep their order.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tidings::prelude::*;

use super::rig::{Placed, Running, Seen, placed, until};
use crate::broker::Broker;

async fn note(order: Placed, State(seen): State<Seen>) -> Result<(), Fail> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    seen.add(&order.key, order.n);
    Ok(())
}

fn instance(seen: &Seen) -> Service {
    Service::new("payments").state(seen.clone()).on("charge", note)
}

async fn publish(broker: &Broker, numbers: std::ops::Range<u32>) {
    let publisher = broker.publisher().await;
    for n in numbers {
        drop(publisher.enqueue(placed(&format!("k{}", n % 17), n)).await.unwrap());
    }
    publisher.flush().await;
}

/// Nothing is lost, and within an instance each key's events come in order.
fn check(all: u32, instances: &[&Seen]) {
    let numbers: BTreeSet<u32> =
        instances.iter().flat_map(|seen| seen.all()).map(|(_, n)| n).collect();
    assert_eq!(numbers, BTreeSet::from_iter(0..all), "each event at least once");
    for seen in instances {
        for key in 0..17 {
            let of_key = seen.of(&format!("k{key}"));
            // A partition that left and came back may repeat a stretch, but within one it grows.
            let backwards = of_key.windows(2).filter(|pair| pair[0] >= pair[1]).count();
            assert!(backwards <= 1, "key {key}: {of_key:?}");
        }
    }
}

async fn two_instances(protocol: &str) {
    let broker = Broker::start().await;
    broker.admin().unwrap().create("orders", 8, &[]).await.unwrap();
    let settings = [("partition.assignment.strategy", protocol)];
    let (one, two) = (Seen::default(), Seen::default());
    let first = Running::start_with(instance(&one), &broker, &settings).ready().await;
    let mut sent = 0;
    publish(&broker, sent..sent + 500).await;
    sent += 500;
    until("a start", || one.len() > 100).await;
    let second = Running::start_with(instance(&two), &broker, &settings);
    while two.len() < 200 {
        publish(&broker, sent..sent + 100).await;
        sent += 100;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(sent < 100_000, "the second instance gets nothing");
    }
    first.stop().await.unwrap();
    publish(&broker, sent..sent + 500).await;
    sent += 500;
    let all = || {
        let numbers = |seen: &Seen| seen.all().into_iter().map(|(_, n)| n);
        numbers(&one).chain(numbers(&two)).collect::<BTreeSet<_>>().len() == sent as usize
    };
    until("all", all).await;
    second.stop().await.unwrap();
    check(sent, &[&one, &two]);
    // Partitions were drained and committed before they moved, so nothing was repeated.
    assert_eq!(one.len() + two.len(), sent as usize, "each event once");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_move_between_instances_cooperatively() {
    two_instances("cooperative-sticky").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_move_between_instances_eagerly() {
    two_instances("range,roundrobin").await;
}

/// With a stable name a killed instance resumes at once, not after the session's 45 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_with_a_stable_name_resumes_at_once() {
    let broker = Broker::start().await;
    let seen = Seen::default();
    let named = || instance(&seen).instance("payments-0");
    let first = Running::start(named(), &broker).ready().await;
    publish(&broker, 0..300).await;
    until("a start", || seen.len() > 50).await;
    first.kill().await;
    let killed = Instant::now();
    publish(&broker, 300..400).await;
    let second = Running::start(named(), &broker);
    let all = || seen.all().into_iter().map(|(_, n)| n).collect::<BTreeSet<_>>().len() == 400;
    until("all", all).await;
    assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    second.stop().await.unwrap();
}

/// The second of two instances with one name throws the first out, which says so and ends.
#[tokio::test(flavor = "multi_thread")]
async fn two_instances_of_one_name_are_told_apart() {
    let broker = Broker::start().await;
    let seen = Seen::default();
    let named = || instance(&seen).instance("payments-0");
    let first = Running::start(named(), &broker).ready().await;
    let second = Running::start(named(), &broker).ready().await;
    let error = first.ended().await.unwrap_err().to_string();
    assert!(error.contains("another instance of group `payments`"), "{error}");
    second.stop().await.unwrap();
}
