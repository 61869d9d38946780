//! A service's beginning and end: refusals, readiness, draining.

use std::sync::Arc;
use std::time::Duration;

use tidings::config::{Origin, Settings};
use tidings::prelude::*;
use tidings::progress::Progress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::rig::{Placed, Running, Seen, committed, placed, until};
use crate::broker::Broker;

async fn note(order: Placed, State(seen): State<Seen>) -> Result<(), Fail> {
    seen.add(&order.key, order.n);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_named_unless_they_may_be_created() {
    let broker = Broker::start().await;
    let mut settings = Settings::new(broker.bootstrap()).unwrap();
    let service = || Service::new("payments").state(Seen::default()).on("charge", note);
    let error = service().settings(settings.clone()).run_until(std::future::pending()).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("a topic is missing") && error.contains("orders"), "{error}");

    settings.set("http", "0", Origin::Code).unwrap();
    let service = service().create_topics().settings(settings);
    let stats = service.stats();
    let ready = async move { until("readiness", || stats.snapshot().ready).await };
    service.run_until(ready).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_check_refuses_does_not_run() {
    let error = Service::new("payments").on("charge", note).run_until(std::future::ready(())).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("takes State<") && error.contains("Seen"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_broker_is_named() {
    let mut settings = Settings::new("127.0.0.1:1").unwrap();
    settings.set("socket.connection.setup.timeout.ms", "1000", Origin::Code).unwrap();
    let service = Service::new("payments").state(Seen::default()).on("charge", note);
    let error = service.settings(settings).run_until(std::future::pending()).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no Kafka broker answers at 127.0.0.1:1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_what_runs_end_and_begins_nothing_new() {
    #[derive(Clone)]
    struct Gate(Arc<Semaphore>, Arc<Semaphore>);
    async fn slow(order: Placed, gate: State<Gate>, seen: State<Seen>) -> Result<(), Fail> {
        gate.0.0.add_permits(1);
        let _open = gate.0.1.acquire().await?;
        seen.0.add(&order.key, order.n);
        Ok(())
    }
    let broker = Broker::start().await;
    broker.admin().unwrap().create("orders", 1, &[]).await.unwrap();
    let (entered, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let seen = Seen::default();
    let gate = Gate(Arc::clone(&entered), Arc::clone(&open));
    let service = Service::new("payments").concurrency(2).state(gate).state(seen.clone());
    let running = Running::start(service.on("charge", slow), &broker);
    let publisher = broker.publisher().await;
    for n in 0..10 {
        publisher.publish(placed(&format!("k{n}"), n)).await.unwrap();
    }
    entered.acquire_many(2).await.unwrap().forget();
    let stats = running.stats.clone();
    let stopping = tokio::spawn(running.stop());
    until("unreadiness", || !stats.snapshot().ready).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!stopping.is_finished(), "it waits for what runs");
    open.add_permits(100);
    stopping.await.unwrap().unwrap();
    assert_eq!(seen.len(), 2, "what ran has ended, nothing else has begun: {:?}", seen.all());
    // Lanes begin in any order, so one of the two may lie beyond the committed offset.
    let (offset, metadata) = committed(&broker, "payments", "orders").remove(&0).unwrap();
    let beyond = Progress::decode(&metadata, offset).unwrap().finished_beyond();
    assert_eq!(offset as u64 + beyond, 2);
}

/// One handler of an event waits for its next attempt when the stop comes, another one of the same
/// event runs and comes to its end: the event is not finished, and the first runs again later.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_between_two_handlers_of_one_event_loses_neither() {
    async fn fails(order: Placed, State(seen): State<Seen>) -> Result<(), Fail> {
        seen.add("fails", order.n);
        Err("not today").or_down()
    }
    async fn waits(
        order: Placed,
        State(seen): State<Seen>,
        State(gate): State<Arc<Semaphore>>,
    ) -> Result<(), Fail> {
        let _open = gate.acquire().await?;
        seen.add("waits", order.n);
        Ok(())
    }
    async fn works(order: Placed, State(seen): State<Seen>) -> Result<(), Fail> {
        seen.add("works", order.n);
        Ok(())
    }
    let broker = Broker::start().await;
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let base = || Service::new("payments").state(seen.clone()).state(Arc::clone(&gate));
    let service = base().on("first", fails).on("second", waits);
    let running = Running::start(service, &broker);
    broker.publisher().await.publish(placed("a", 7)).await.unwrap();
    until("the failing one", || seen.of("fails").len() >= 3).await;
    let stats = running.stats.clone();
    let stopping = tokio::spawn(running.stop());
    until("the stop", || !stats.snapshot().ready).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    gate.add_permits(1);
    stopping.await.unwrap().unwrap();
    assert_eq!(seen.of("waits"), [7]);

    let running = Running::start(base().on("first", works).on("second", waits), &broker);
    until("the first one's turn", || seen.of("works") == [7]).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_are_served_where_they_are_set() {
    let broker = Broker::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let seen = Seen::default();
    let service = Service::new("payments").state(seen.clone()).on("charge", note);
    let address = port.to_string();
    let settings = [("http", address.as_str())];
    let running = Running::start_with(service, &broker, &settings).ready().await;
    broker.publisher().await.publish(placed("a", 1)).await.unwrap();
    until("the event", || seen.len() == 1).await;
    assert!(ask(&address, "/readyz?verbose").await.contains("[+] group payments"));
    let wanted = [
        "tidings_events_handled_total{handler=\"charge\",outcome=\"done\",service=\"payments\",\
         type=\"test.order.placed.v1\"} 1",
        "tidings_handler_duration_seconds_count{handler=\"charge\",service=\"payments\"} 1",
        "tidings_build_info{",
    ];
    let mut text = String::new();
    for _ in 0..500 {
        text = ask(&address, "/metrics").await;
        if wanted.iter().all(|line| text.contains(line)) && text.contains("lag_records{") {
            running.stop().await.unwrap();
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("something of {wanted:#?} is missing in\n{text}");
}

pub(super) async fn ask(address: &str, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}
