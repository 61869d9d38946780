//! Offsets: what is committed, what a restart repeats and what it does not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use tidings::prelude::*;
use tidings::progress::Progress;
use tokio::sync::Semaphore;

use super::rig::{Placed, Running, Seen, committed, placed, until};
use crate::broker::Broker;

/// Events of the key `held` wait at the gate; the others pass.
async fn gated(
    order: Placed,
    State(seen): State<Seen>,
    State(gate): State<Arc<Semaphore>>,
) -> Result<(), Fail> {
    if order.key == "held" {
        gate.acquire().await?.forget();
    }
    seen.add(&order.key, order.n);
    Ok(())
}

fn service(seen: &Seen, gate: &Arc<Semaphore>) -> Service {
    Service::new("payments").state(seen.clone()).state(Arc::clone(gate)).on("charge", gated)
}

/// One partition, so that a held event stands before the others.
const ONE: [(&str, &str); 1] = [("topic_partitions", "1")];

async fn one_partition(broker: &Broker) {
    broker.admin().unwrap().create("orders", 1, &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_events_beyond_a_held_one_are_not_run_again_after_a_kill() {
    let broker = Broker::start().await;
    one_partition(&broker).await;
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let publisher = broker.publisher().await;
    publisher.publish(placed("before", 0)).await.unwrap();
    publisher.publish(placed("held", 1)).await.unwrap();
    for n in 2..100 {
        let key = if n % 10 == 0 { "held" } else { "free" };
        publisher.publish(placed(key, n)).await.unwrap();
    }
    let first = Running::start_with(service(&seen, &gate), &broker, &ONE);
    until("the free ones", || seen.of("free").len() == 89).await;
    let progress = || {
        let (offset, metadata) = committed(&broker, "payments", "orders").remove(&0)?;
        Some((offset, Progress::decode(&metadata, offset).expect("our metadata")))
    };
    let all_told = || progress().is_some_and(|(at, p)| (at, p.finished_beyond()) == (1, 89));
    until("the commit with its metadata", all_told).await;
    let (_, told) = progress().unwrap();
    assert_eq!(told.handlers, ["charge"]);
    first.kill().await;

    let again = Seen::default();
    gate.add_permits(100);
    let second = Running::start_with(service(&again, &gate), &broker, &ONE);
    until("the held ones", || again.of("held").len() == 10).await;
    assert_eq!(again.of("held"), [1, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    let end = || committed(&broker, "payments", "orders").get(&0).is_some_and(|c| c.0 == 100);
    until("the last commit", end).await;
    assert_eq!(again.of("free"), [0; 0], "nothing that was finished runs again");
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_handler_begins_at_the_committed_offset_and_skips_nothing_behind_it() {
    let broker = Broker::start().await;
    one_partition(&broker).await;
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let publisher = broker.publisher().await;
    for (key, n) in [("free", 0), ("held", 1), ("free", 2), ("free", 3)] {
        publisher.publish(placed(key, n)).await.unwrap();
    }
    let first = Running::start_with(service(&seen, &gate), &broker, &ONE);
    let told = || {
        let Some((1, text)) = committed(&broker, "payments", "orders").remove(&0) else {
            return false;
        };
        Progress::decode(&text, 1).is_ok_and(|p| p.finished_beyond() == 2)
    };
    until("the commit", told).await;
    first.kill().await;

    async fn audit(order: Placed, State(audited): State<Arc<Seen>>) -> Result<(), Fail> {
        audited.add("audited", order.n);
        Ok(())
    }
    gate.add_permits(10);
    let audited = Arc::new(Seen::default());
    let service = service(&seen, &gate).state(Arc::clone(&audited)).on("audit", audit);
    let service = Running::start_with(service, &broker, &ONE);
    until("the new handler", || audited.len() == 3).await;
    let audited: BTreeSet<u32> = audited.of("audited").into_iter().collect();
    assert_eq!(audited, BTreeSet::from([1, 2, 3]));
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_group_begins_at_the_beginning_or_where_it_is_told() {
    let broker = Broker::start().await;
    one_partition(&broker).await;
    let publisher = broker.publisher().await;
    publisher.publish(placed("old", 1)).await.unwrap();
    let gate = Arc::new(Semaphore::new(0));

    let seen = Seen::default();
    let from_end = service(&seen, &gate).group("late").from_end();
    let running = Running::start_with(from_end, &broker, &ONE).ready().await;
    let position = || committed(&broker, "late", "orders").get(&0).is_some_and(|c| c.0 == 1);
    until("its position, before it has handled anything", position).await;
    running.stop().await.unwrap();
    publisher.publish(placed("new", 2)).await.unwrap();
    let from_end = service(&seen, &gate).group("late").from_end();
    let running = Running::start_with(from_end, &broker, &ONE);
    until("what came while it was away", || seen.of("new") == [2]).await;
    assert_eq!(seen.of("old"), [0; 0]);
    running.stop().await.unwrap();

    let seen = Seen::default();
    let running = Running::start_with(service(&seen, &gate), &broker, &ONE);
    until("all there is", || seen.len() == 2).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_committed_offset_that_is_gone_stops_the_partition_and_names_what_was_lost() {
    let broker = Broker::start().await;
    one_partition(&broker).await;
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let publisher = broker.publisher().await;
    for n in 0..3 {
        publisher.publish(placed("a", n)).await.unwrap();
    }
    let running = Running::start_with(service(&seen, &gate), &broker, &ONE);
    until("the first three", || seen.len() == 3).await;
    running.stop().await.unwrap();
    for n in 3..10 {
        publisher.publish(placed("a", n)).await.unwrap();
    }
    // The records up to 8 are deleted while the group is away.
    let admin: AdminClient<DefaultClientContext> = broker.settings().client().create().unwrap();
    let mut before = rdkafka::TopicPartitionList::new();
    before.add_partition_offset("orders", 0, rdkafka::Offset::Offset(8)).unwrap();
    admin.delete_records(&before, &AdminOptions::new()).await.unwrap();

    let http = [ONE[0], ("http", "127.0.0.1:0")];
    let running = Running::start_with(service(&seen, &gate), &broker, &http);
    until("unreadiness that says why", || {
        let why = running.stats.why_not_ready();
        why.iter().any(|line| {
            line.contains("partition orders[0]: offsets 3 to 7 of orders[0] were lost")
                && line.contains("tidings group reset payments --topic orders --to beginning")
        })
    })
    .await;
    assert!(!running.now().ready);
    assert_eq!(seen.len(), 3, "nothing behind the gap is handled");
    running.stop().await.unwrap();
    assert_eq!(committed(&broker, "payments", "orders")[&0].0, 3, "the commit stays");
}

/// A handler finished, its event was not committed: a killed instance runs it again. One that was
/// stopped does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_repeats_nothing() {
    let broker = Broker::start().await;
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let publisher = broker.publisher().await;
    let mut sent = 0;
    for _ in 0..3 {
        let running = Running::start(service(&seen, &gate), &broker);
        for _ in 0..50 {
            publisher.publish(placed(&format!("k{}", sent % 5), sent)).await.unwrap();
            sent += 1;
        }
        until("some of them", || seen.len() + 20 > sent as usize).await;
        running.stop().await.unwrap();
    }
    let running = Running::start(service(&seen, &gate), &broker);
    until("all", || seen.len() >= sent as usize).await;
    tokio::time::timeout(Duration::from_secs(20), running.stop()).await.unwrap().unwrap();
    for n in 0..sent {
        assert_eq!(seen.count(&format!("k{}", n % 5), n), 1, "event {n}");
    }
}
