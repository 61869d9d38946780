//! The broker of a test's own, and topics on whichever broker there is.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tidings::admin::Admin;
use tidings::config::Settings;
use tidings::{Draft, Event, Publisher};

use crate::broker::Broker;
use crate::named::only_embedded;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order)]
struct OrderPlaced {
    order: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_in_milliseconds_and_each_has_a_port_of_its_own() {
    if only_embedded("about starting an embedded broker") {
        return;
    }
    let started = Instant::now();
    let (one, two) = (Broker::start().await, Broker::start().await);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_ne!(one.bootstrap(), two.bootstrap());
    one.publisher().await.publish(OrderPlaced { order: 1 }).await.unwrap();
    assert!(two.admin().unwrap().topics().await.unwrap().is_empty());
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_named_and_created_on_demand() {
    let broker = Broker::start().await;
    let admin = broker.admin().unwrap();
    assert_eq!(admin.missing(["orders", "payments"]).await.unwrap(), ["orders", "payments"]);
    let error = admin.require(["orders", "payments"]).await.unwrap_err().to_string();
    assert!(error.starts_with("topics are missing on 127.0.0.1:"), "{error}");
    assert!(error.contains("orders, payments; create them with `tidings topic create"), "{error}");
    assert_eq!(admin.ensure(["orders"]).await.unwrap(), ["orders"]);
    assert_eq!(admin.ensure(["orders"]).await.unwrap(), [""; 0]);
    assert_eq!(partitions(&broker, "orders").await, 4);
    assert!(admin.create("wide", 12, &[("retention.ms", "60000")]).await.unwrap());
    assert!(!admin.create("wide", 12, &[]).await.unwrap());
    let error = admin.create("a b", 1, &[]).await.unwrap_err().to_string();
    assert!(error.contains("did not create the topic a b"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_creates_what_is_missing_when_told_to() {
    let broker = Broker::start().await;
    let mut settings = broker.settings();
    let origin = || tidings::config::Origin::Code;
    settings.set("topic_partitions", "3", origin()).unwrap();
    let publisher = Publisher::with(&settings).await.unwrap();
    publisher.publish(OrderPlaced { order: 1 }).await.unwrap();
    assert_eq!(partitions(&broker, "orders").await, 3);
}

/// Apache Kafka lists a topic a moment after it was created.
async fn partitions(broker: &Broker, topic: &str) -> usize {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(partitions) = broker.admin().unwrap().topics().await.unwrap().get(topic) {
            return *partitions;
        }
        assert!(Instant::now() < deadline, "there is no {topic}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_topic_is_named() {
    if only_embedded("its broker must not create topics by itself") {
        return;
    }
    use tidings_broker::{Broker, Config};
    let config = Config { auto_create_topics: false, ..Config::memory() };
    let broker = Broker::start(config).await.unwrap();
    let settings = Settings::new(broker.bootstrap()).unwrap();
    let publisher = Publisher::with(&settings).await.unwrap();
    let error = publisher.publish(Draft::of(OrderPlaced { order: 1 }).topic("oders")).await;
    let error = error.unwrap_err();
    assert!(error.is_retryable());
    let expected = format!("there is no topic oders on {}", broker.bootstrap());
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(Admin::new(&settings).unwrap().topics().await.unwrap().is_empty());
    broker.shutdown().await.unwrap();
}
