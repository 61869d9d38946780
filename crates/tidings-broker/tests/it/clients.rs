//! The broker under librdkafka, the client that most of the world uses.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use tidings_broker::{Broker, Config};

use crate::support::named::only_embedded;
use crate::support::{either, eventually, now_ms};

fn client(bootstrap: &str, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config
}

type Sender = ThreadedProducer<rdkafka::producer::DefaultProducerContext>;

fn producer(bootstrap: &str, settings: &[(&str, &str)]) -> Sender {
    client(bootstrap, settings).set("linger.ms", "1").create().expect("a producer")
}

fn flush(producer: &Sender) {
    producer.flush(Duration::from_secs(20)).expect("all acknowledged");
    assert_eq!(producer.in_flight_count(), 0);
}

/// Reads `count` messages of one partition from `offset`.
fn read(
    bootstrap: &str,
    topic: &str,
    partition: i32,
    from: Offset,
    count: usize,
) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = client(bootstrap, &[("group.id", "none"), ("check.crcs", "true")])
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, from).expect("an offset");
    consumer.assign(&list).expect("assigned");
    let mut messages = Vec::new();
    while messages.len() < count {
        let message = consumer.poll(Duration::from_secs(10)).expect("a message within 10 s");
        messages.push(message.expect("no error").detach());
    }
    messages
}

#[test]
fn keys_values_headers_and_timestamps_come_back_as_they_went() {
    let broker = block_on(either());
    let bootstrap = &broker.bootstrap();
    let producer = producer(bootstrap, &[]);
    let headers = OwnedHeaders::new()
        .insert(Header { key: "a", value: Some("1") })
        .insert(Header { key: "a", value: Some("2") })
        .insert(Header { key: "null", value: None::<&str> });
    // Not so old that retention takes it away.
    let now = now_ms() - 3_600_000;
    let record = BaseRecord::to("t").key("k").payload("v").headers(headers).timestamp(now);
    producer.send(record.partition(0)).expect("queued");
    producer.send(BaseRecord::<str, str>::to("t").partition(0)).expect("queued");
    flush(&producer);
    let messages = read(bootstrap, "t", 0, Offset::Beginning, 2);
    assert_eq!(messages[0].key(), Some(&b"k"[..]));
    assert_eq!(messages[0].payload(), Some(&b"v"[..]));
    assert_eq!(messages[0].timestamp().to_millis(), Some(now));
    let headers = messages[0].headers().expect("headers");
    let got: Vec<_> = headers.iter().map(|h| (h.key, h.value)).collect();
    assert_eq!(got, [("a", Some(&b"1"[..])), ("a", Some(&b"2"[..])), ("null", None)]);
    assert_eq!((messages[1].key(), messages[1].payload()), (None, None));
}

#[test]
fn every_compression_passes_through_untouched() {
    let broker = block_on(either());
    let bootstrap = &broker.bootstrap();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("by-{codec}");
        let producer = producer(bootstrap, &[("compression.type", codec)]);
        for n in 0..500 {
            let payload = format!("{n} {}", "tidings ".repeat(20));
            let record = BaseRecord::<str, str>::to(&topic).partition(0).payload(&payload);
            producer.send(record).expect("queued");
        }
        flush(&producer);
        let messages = read(bootstrap, &topic, 0, Offset::Beginning, 500);
        for (n, message) in messages.iter().enumerate() {
            let text = std::str::from_utf8(message.payload().expect("a value")).expect("text");
            assert!(text.starts_with(&format!("{n} tidings")), "{codec}: {text}");
        }
    }
}

#[test]
fn an_idempotent_producer_keeps_order_on_every_partition() {
    let broker = block_on(either());
    let bootstrap = &broker.bootstrap();
    let settings = [("enable.idempotence", "true"), ("batch.num.messages", "7")];
    let producer = producer(bootstrap, &settings);
    for n in 0..2_000 {
        let payload = n.to_string();
        let record = BaseRecord::<str, str>::to("t").partition(n % 4).payload(&payload);
        producer.send(record).expect("queued");
    }
    flush(&producer);
    for partition in 0..4 {
        let messages = read(bootstrap, "t", partition, Offset::Beginning, 500);
        for (at, message) in (0..).zip(&messages) {
            assert_eq!(message.offset(), i64::from(at));
            let payload = std::str::from_utf8(message.payload().expect("a value")).expect("text");
            assert_eq!(payload, (at * 4 + partition).to_string());
        }
    }
}

#[test]
fn seeking_by_time_finds_the_record() {
    let broker = block_on(either());
    let bootstrap = &broker.bootstrap();
    let producer = producer(bootstrap, &[("compression.type", "lz4")]);
    let base = now_ms() - 3_600_000;
    for n in 0..100_i64 {
        let payload = n.to_string();
        let record = BaseRecord::<str, str>::to("t").partition(0).payload(&payload);
        producer.send(record.timestamp(base + n * 10)).expect("queued");
    }
    flush(&producer);
    let consumer: BaseConsumer =
        client(bootstrap, &[("group.id", "g")]).create().expect("consumer");
    let look_up = |time: i64| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Offset(time)).expect("an offset");
        let found = consumer.offsets_for_times(list, Duration::from_secs(10)).expect("found");
        found.elements()[0].offset()
    };
    assert_eq!(look_up(base), Offset::Offset(0));
    assert_eq!(look_up(base + 501), Offset::Offset(51));
    assert_eq!(look_up(base + 991), Offset::End);
    let marks = consumer.fetch_watermarks("t", 0, Duration::from_secs(10)).expect("watermarks");
    assert_eq!(marks, (0, 100));
}

#[test]
fn the_admin_client_creates_describes_and_deletes() {
    let broker = block_on(either());
    let bootstrap = &broker.bootstrap();
    let admin: AdminClient<DefaultClientContext> = client(bootstrap, &[]).create().expect("admin");
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
    let new = NewTopic::new("t", 3, TopicReplication::Fixed(1)).set("retention.ms", "1234");
    let made = block_on(admin.create_topics([&new], &options)).expect("an answer");
    assert_eq!(made, [Ok("t".to_owned())]);
    let again = block_on(admin.create_topics([&new], &options)).expect("an answer");
    assert!(again[0].is_err());
    let resource = ResourceSpecifier::Topic("t");
    let described = block_on(admin.describe_configs([&resource], &options)).expect("an answer");
    let described = described.into_iter().next().expect("one").expect("described");
    let values: HashMap<_, _> =
        described.entries.iter().map(|e| (e.name.as_str(), e.value.as_deref())).collect();
    assert_eq!(values["retention.ms"], Some("1234"));
    assert_eq!(values["cleanup.policy"], Some("delete"));
    let gone = block_on(admin.delete_topics(&["t"], &options)).expect("an answer");
    assert_eq!(gone, [Ok("t".to_owned())]);
    let metadata =
        || admin.inner().fetch_metadata(None, Duration::from_secs(10)).expect("metadata");
    // Apache Kafka's own topics begin with two underscores.
    let of_ours = |topic: &rdkafka::metadata::MetadataTopic| !topic.name().starts_with("__");
    eventually("the topic is gone", || !metadata().topics().iter().any(of_ours));
    assert_eq!(metadata().brokers().len(), 1);
}

#[test]
fn a_producer_survives_a_restart_of_the_broker_without_loss_or_duplicate() {
    if only_embedded("it starts the broker again; `cargo xtask` kills Apache Kafka elsewhere") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let broker = block_on(Broker::start(Config::at(dir.path()))).expect("starts");
    let addr = broker.addr();
    let bootstrap = &broker.bootstrap();
    let settings = [
        ("enable.idempotence", "true"),
        ("reconnect.backoff.max.ms", "100"),
        ("batch.num.messages", "20"),
    ];
    let producer = producer(bootstrap, &settings);
    let mut broker = Some(broker);
    for n in 0..3_000 {
        let payload = n.to_string();
        let record = BaseRecord::<str, str>::to("t").partition(0).payload(&payload);
        producer.send(record).expect("queued");
        if n % 1_000 == 500 {
            drop(broker.take());
            let config = Config { listen: addr, ..Config::at(dir.path()) };
            broker = Some(start_patiently(&config));
        }
    }
    flush(&producer);
    assert!(broker.is_some(), "running");
    let messages = read(bootstrap, "t", 0, Offset::Beginning, 3_000);
    for (n, message) in messages.iter().enumerate() {
        let payload = std::str::from_utf8(message.payload().expect("a value")).expect("text");
        assert_eq!(payload, n.to_string());
    }
}

/// The port and the directory of a broker that was dropped become free a moment later.
fn start_patiently(config: &Config) -> Broker {
    let mut started = None;
    eventually("the broker starts again", || {
        started = block_on(Broker::start(config.clone())).ok();
        started.is_some()
    });
    started.expect("started")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}
