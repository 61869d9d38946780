//! Publishing against a broker, and against librdkafka's own mock where one has to fail on command.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers as _, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde::{Deserialize, Serialize};
use tidings::cloudevents::{CloudEvent, Record};
use tidings::config::{Origin, Settings};
use tidings::{Draft, Event, Offset, PartitionId, Publisher};

use crate::broker::Broker;
use crate::named::only_embedded;

type Cluster = MockCluster<'static, DefaultProducerContext>;

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order)]
struct OrderPlaced {
    order: String,
    n: u32,
}

fn placed(order: &str, n: u32) -> OrderPlaced {
    OrderPlaced { order: order.into(), n }
}

/// A broker with the topic `orders`.
async fn broker(partitions: i32) -> Broker {
    let broker = Broker::start().await;
    let created = broker.admin().unwrap().create("orders", partitions, &[]).await;
    assert!(created.expect("an answer"));
    broker
}

async fn publisher(broker: &Broker) -> Publisher {
    broker.publisher().await.source("/shop")
}

/// A broker that can be told to fail.
fn mock() -> Cluster {
    let cluster = MockCluster::new(1).expect("librdkafka's mock starts");
    cluster.create_topic("orders", 1, 1).expect("the mock creates topics");
    cluster
}

const MOCK: &str = "the broker has to fail on command: librdkafka's mock does";

fn settings(cluster: &Cluster, more: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::new(cluster.bootstrap_servers()).expect("a good address");
    for (name, value) in more {
        settings.set(name, *value, Origin::Code).expect("a good setting");
    }
    settings
}

/// Everything in a topic, once there are as many records as expected.
fn read(settings: &Settings, topic: &str, expected: usize) -> Vec<Record> {
    let consumer: BaseConsumer =
        settings.consumer("reader").create().expect("a good configuration");
    let mut list = rdkafka::TopicPartitionList::new();
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap();
    for partition in metadata.topics()[0].partitions() {
        let start = rdkafka::Offset::Beginning;
        list.add_partition_offset(topic, partition.id(), start).unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut records = Vec::new();
    while records.len() < expected {
        let message = consumer.poll(Duration::from_secs(10)).expect("a record in time").unwrap();
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        records.push(Record {
            topic: topic.to_owned(),
            partition: PartitionId(message.partition()),
            offset: Offset(message.offset()),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(Bytes::copy_from_slice),
            value: message.payload().map(Bytes::copy_from_slice),
            headers: headers
                .map(|h| (h.key.to_owned(), h.value.map(Bytes::copy_from_slice)))
                .collect(),
        });
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_with_its_attributes() {
    let broker = broker(4).await;
    let receipt = publisher(&broker).await.publish(placed("1042", 7)).await.unwrap();
    assert_eq!((receipt.topic.as_str(), receipt.offset), ("orders", Offset(0)));

    let record = read(&broker.settings(), "orders", 1).remove(0);
    assert_eq!(record.partition, receipt.partition);
    assert_eq!(record.key.as_deref(), Some(&b"1042"[..]));
    assert_eq!(record.value.as_deref(), Some(&br#"{"order":"1042","n":7}"#[..]));
    assert_eq!(record.header("content-type"), Some(&b"application/json"[..]));
    let event = CloudEvent::from_record(&record).unwrap();
    assert_eq!((&event.id, event.source.as_str()), (&receipt.id, "/shop"));
    assert_eq!(event.ty, "com.example.order.placed.v1");
    assert!(event.timestamp().is_some() && event.recorded_at() == event.timestamp());
    assert_eq!(
        event.header("traceparent"),
        event.extensions.get("traceparent").map(|t| t.as_bytes())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_land_where_javas_client_puts_them() {
    // The hashes are those of Kafka's own UtilsTest.testMurmur2; the partition is their positive
    // part modulo the number of partitions, as in its DefaultPartitioner.
    let vectors: [(&str, i32); 6] = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ];
    let broker = broker(12).await;
    let publisher = publisher(&broker).await;
    for (key, hash) in vectors {
        let receipt = publisher.publish(placed(key, 0)).await.unwrap();
        assert_eq!(receipt.partition.0, (hash & 0x7fff_ffff) % 12, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_keeps_its_order_with_many_in_flight() {
    let broker = broker(4).await;
    let publisher = publisher(&broker).await;
    const EVENTS: u32 = 5_000;
    let mut acks = Vec::new();
    for n in 0..EVENTS {
        acks.push(publisher.enqueue(placed(&format!("k{}", n % 7), n)).await.unwrap());
    }
    for ack in acks {
        let id = ack.id().clone();
        assert_eq!(ack.await.unwrap().id, id);
    }
    let mut last: HashMap<String, u32> = HashMap::new();
    for record in read(&broker.settings(), "orders", EVENTS as usize) {
        let event = OrderPlaced::decode(record.value.as_deref().unwrap()).unwrap();
        if let Some(before) = last.insert(event.order.clone(), event.n) {
            assert!(before < event.n, "{} came after {before}", event.n);
        }
    }
    assert_eq!(last.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_makes_callers_wait() {
    if only_embedded(MOCK) {
        return;
    }
    let cluster = mock();
    let publisher = Publisher::with(&settings(&cluster, &[])).await.expect("the mock answers");
    publisher.publish(placed("warm", 0)).await.unwrap();
    cluster.broker_down(1).unwrap();
    let big = "x".repeat(900_000);
    let draft = |n| Draft::of(placed(&big, n)).key("k");
    // 74 of them fit into 64 MiB; with nobody to take them away, the next one waits.
    let mut acks = Vec::new();
    for n in 0..74 {
        acks.push(publisher.enqueue(draft(n)).await.unwrap());
    }
    let mut waiting = std::pin::pin!(publisher.enqueue(draft(74)));
    let soon = tokio::time::timeout(Duration::from_millis(50), waiting.as_mut()).await;
    assert!(soon.is_err(), "it was taken although the queue is full");
    cluster.broker_up(1).unwrap();
    acks.push(waiting.await.unwrap());
    publisher.flush().await;
    for ack in acks {
        let answered = tokio::time::timeout(Duration::ZERO, ack).await;
        answered.expect("flush waited for it").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_event_survives_publishing() {
    let broker = broker(1).await;
    let event = CloudEvent {
        id: "x".into(),
        source: "urn:python".into(),
        ty: "some.thing".into(),
        time: Some("2026-11-23T10:41:07+01:00".into()),
        extensions: [("tenant".to_owned(), "ü".to_owned())].into(),
        data: Some(Bytes::from_static(&[0, 0xff])),
        headers: vec![("empty".into(), Some(Bytes::new())), ("null".into(), None)],
        ..CloudEvent::default()
    };
    let publisher = publisher(&broker).await;
    publisher.publish_raw(event.clone(), "orders", Some(Bytes::new())).await.unwrap();
    let record = read(&broker.settings(), "orders", 1).remove(0);
    assert_eq!(record.key, Some(Bytes::new()), "an empty key is not a missing one");
    assert_eq!(CloudEvent::from_record(&record).unwrap(), event);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_are_all_or_nothing_before_they_are_sent() {
    let broker = broker(1).await;
    let publisher = publisher(&broker).await;
    let receipts = publisher.publish_all((placed("a", 1), vec![placed("b", 2)])).await.unwrap();
    assert_eq!(receipts.iter().map(|r| r.offset.0).collect::<Vec<_>>(), [0, 1]);
    let wrong = Draft::of(placed("d", 4)).extension("Wrong", "x");
    publisher.publish_all((Draft::of(placed("c", 3)), wrong)).await.unwrap_err();
    let receipt = publisher.publish(placed("e", 5)).await.unwrap();
    assert_eq!(receipt.offset, Offset(2), "nothing of the refused call was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_names_the_topic_the_sizes_and_the_setting() {
    let broker = broker(1).await;
    let publisher = publisher(&broker).await;
    let large = Draft::of(placed(&"x".repeat(2 << 20), 1)).key("k");
    let error = publisher.publish(large).await.unwrap_err();
    assert!(!error.is_retryable());
    let text = error.to_string();
    assert!(text.starts_with("the event for orders has 20976"), "{text}");
    assert!(text.contains("more than the 1048588 of `message.max.bytes`"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_names_the_address_and_what_to_do() {
    // A port that was free a moment ago: nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bootstrap = format!("127.0.0.1:{port}");
    let error = Publisher::connect(&bootstrap).await.err().expect("nobody is there");
    assert!(error.is_retryable());
    let text = error.to_string();
    assert!(text.contains(&format!("no Kafka broker answers at {bootstrap}")), "{text}");
    assert!(text.contains("TIDINGS_BOOTSTRAP"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_is_reported_in_time() {
    if only_embedded(MOCK) {
        return;
    }
    let cluster = mock();
    let settings = settings(&cluster, &[("message.timeout.ms", "800")]);
    let publisher = Publisher::with(&settings).await.unwrap();
    publisher.publish(placed("a", 1)).await.unwrap();
    cluster.broker_down(1).unwrap();
    let error = publisher.publish(placed("a", 2)).await.unwrap_err();
    assert!(error.is_retryable());
    let expected = "acknowledged an event for orders within 800 ms (`message.timeout.ms`)";
    assert!(error.to_string().contains(expected), "{error}");
    cluster.broker_up(1).unwrap();
    // The client needs a moment to find it again; until then the answer is the same.
    let back = async {
        while let Err(error) = publisher.publish(placed("a", 3)).await {
            assert!(error.is_retryable(), "{error}");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("it is found again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_publisher_says_so() {
    let broker = broker(1).await;
    let publisher = publisher(&broker).await;
    let clone = publisher.clone();
    let ack = publisher.enqueue(placed("a", 1)).await.unwrap();
    publisher.close().await.unwrap();
    ack.await.expect("close waits for it");
    let error = clone.publish(placed("a", 2)).await.unwrap_err();
    assert!(error.to_string().contains("this publisher is closed"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_given_up_waiting_for_room_is_not_published() {
    let broker = broker(1).await;
    let publisher = publisher(&broker).await;
    let waiting = publisher.enqueue(placed("a", 1));
    drop(waiting);
    let taken = publisher.enqueue(placed("a", 2)).await.unwrap();
    drop(taken);
    publisher.flush().await;
    let record = read(&broker.settings(), "orders", 1).remove(0);
    assert_eq!(OrderPlaced::decode(&record.value.unwrap()).unwrap().n, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_a_key_has_a_null_key() {
    let broker = broker(1).await;
    let publisher = publisher(&broker).await;
    publisher.publish(Draft::of(placed("a", 1)).no_key()).await.unwrap();
    assert_eq!(read(&broker.settings(), "orders", 1).remove(0).key, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fatal_error_ends_the_connection_and_not_the_publisher() {
    // An idempotent producer that may not get an id is dead for librdkafka. The permission may
    // come back, and whoever publishes again must not have to restart the process for it.
    if only_embedded(MOCK) {
        return;
    }
    let cluster = mock();
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    // Often enough for a publisher that has tried again before the first event.
    cluster.request_errors(RDKafkaApiKey::InitProducerId, &[denied; 100]);
    let publisher = Publisher::with(&settings(&cluster, &[])).await.expect("the mock answers");
    let error = publisher.publish(placed("a", 1)).await.unwrap_err();
    assert!(error.is_retryable());
    assert!(
        error.to_string().contains("to write to the topic orders; an administrator"),
        "{error}"
    );
    cluster.clear_request_errors(RDKafkaApiKey::InitProducerId);
    let back = async {
        while let Err(error) = publisher.publish(placed("a", 2)).await {
            assert!(error.is_retryable(), "{error}");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("it works again");
    let record = read(&settings(&cluster, &[]), "orders", 1).remove(0);
    assert_eq!(OrderPlaced::decode(&record.value.unwrap()).unwrap().n, 2);
}
