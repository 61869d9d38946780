//! The same questions to our broker and to Apache Kafka: what it answers is right.
//!
//! Only codes and offsets are compared, not the wording of messages. Each line is a question and
//! the answer that both give.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use tidings_log::testing::BatchBuilder;

use crate::support::{
    Wire, batch, either, eventually, fetch, fetch_request, name, now_ms, offset_at, produce,
    produce_request,
};
use crate::topics::create;

#[tokio::test]
async fn our_answers_are_those_that_kafka_gives() {
    let broker = either().await;
    check(broker.addr());
}

fn check(addr: SocketAddr) {
    let mut wire = Wire::connect(addr);
    let topic = format!("conformance-{}", now_ms());
    assert_eq!(create(&mut wire, &topic, 2, 1, &[("max.message.bytes", "1000")]).0, 0);
    eventually("the topic has a leader", || produce(&mut wire, &topic, 1, batch(1)).error == 0);
    let mut wrong = Vec::new();
    let mut ask = |what: &str, answer: String, expected: &str| {
        if answer != expected {
            wrong.push(format!("{what}: expected {expected}, got {answer}"));
        }
    };
    produced(&mut wire, &topic, &mut ask);
    fetched(&mut wire, &topic, &mut ask);
    looked_up(&mut wire, &topic, &mut ask);
    created(&mut wire, &topic, &mut ask);
    configured(&mut wire, &topic, &mut ask);
    identified(&mut wire, &topic, &mut ask);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// An id that no topic has.
const UNKNOWN: uuid::Uuid = uuid::Uuid::from_u128(7);

type Ask<'a> = &'a mut dyn FnMut(&str, String, &str);

fn changed(records: &Bytes, change: impl Fn(&mut BytesMut)) -> Bytes {
    let mut bytes = BytesMut::from(&records[..]);
    change(&mut bytes);
    bytes.freeze()
}

/// Sets a byte under the checksum.
fn set(bytes: &mut BytesMut, at: usize, value: u8) {
    bytes[at] = value;
    let crc = crate::pitfalls::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}

fn produced(wire: &mut Wire, topic: &str, ask: Ask<'_>) {
    let good = batch(3);
    let mut send = |what: &str, partition: i32, records: Bytes, expected: &str| {
        let got = produce(wire, topic, partition, records);
        ask(&format!("produce {what}"), format!("{} {}", got.error, got.offset), expected);
    };
    send("good", 0, good.clone(), "0 0");
    send("to a partition that is not there", 9, good.clone(), "3 -1");
    send("a flipped bit", 0, changed(&good, |b| *b.last_mut().expect("some") ^= 1), "2 -1");
    send("format 1", 0, changed(&good, |b| b[16] = 1), "87 -1");
    send("a count that lies", 0, changed(&good, |b| set(b, 60, 9)), "87 -1");
    send("a control batch", 0, changed(&good, |b| set(b, 22, 0x20)), "87 -1");
    send("nothing", 0, Bytes::new(), "87 -1");
    send("two batches", 0, [&good[..], &good[..]].concat().into(), "87 -1");
    let large = BatchBuilder::filled(1, 1_000, now_ms()).build().freeze();
    send("too much", 0, large, "10 -1");
    send("good again", 0, good, "0 3");
    let answer = wire.call(9, &produce_request(topic, 0, batch(1)).with_acks(2));
    let code = answer.responses[0].partition_responses[0].error_code;
    ask("produce with acks=2", code.to_string(), "21");
}

fn fetched(wire: &mut Wire, topic: &str, ask: Ask<'_>) {
    for (offset, expected) in [(0, "0 6 0"), (5, "0 6 0"), (6, "0 6 0"), (7, "1"), (-5, "1")] {
        let got = fetch(wire, topic, 0, offset, 10);
        let answer = match got.error_code {
            0 => format!("0 {} {}", got.high_watermark, got.log_start_offset),
            code => code.to_string(),
        };
        ask(&format!("fetch at {offset}"), answer, expected);
    }
    let missing = fetch(wire, "no-such-topic", 0, 0, 10);
    ask("fetch from no topic", missing.error_code.to_string(), "3");
    let mut epoch = fetch_request(topic, 0, 0, 10);
    epoch.topics[0].partitions[0].current_leader_epoch = 9;
    let got = wire.call(11, &epoch).responses[0].partitions[0].error_code;
    ask("fetch in an epoch of the future", got.to_string(), "75");
    let session = fetch_request(topic, 0, 0, 10).with_session_id(77).with_session_epoch(5);
    let got = wire.call(11, &session);
    ask("fetch in an unknown session", got.error_code.to_string(), "70");
    let mut small = fetch_request(topic, 0, 0, 10).with_max_bytes(1);
    small.topics[0].partitions[0].partition_max_bytes = 1;
    let got = wire.call(11, &small).responses[0].partitions[0].clone();
    let length = got.records.map_or(0, |records| records.len());
    ask("fetch with limits below a batch", length.to_string(), &batch(3).len().to_string());
}

fn looked_up(wire: &mut Wire, topic: &str, ask: Ask<'_>) {
    let mut at = |what: &str, partition, timestamp, expected: &str| {
        let (offset, timestamp, error) = offset_at(wire, topic, partition, timestamp);
        let timestamp = if timestamp > 1 { "now".into() } else { timestamp.to_string() };
        ask(&format!("offset of {what}"), format!("{error} {offset} {timestamp}"), expected);
    };
    at("the end", 0, -1, "0 6 -1");
    at("the start", 0, -2, "0 0 -1");
    at("time 0", 0, 0, "0 0 now");
    at("the far future", 0, i64::MAX, "0 -1 -1");
    at("no partition", 9, -1, "3 -1 -1");
    let mut end = |epoch: i32, current: i32, expected: &str| {
        use kafka_protocol::messages::offset_for_leader_epoch_request as request;
        let partition = request::OffsetForLeaderPartition::default()
            .with_current_leader_epoch(current)
            .with_leader_epoch(epoch);
        let topic = request::OffsetForLeaderTopic::default().with_topic(name(topic));
        let topics = vec![topic.with_partitions(vec![partition])];
        let request = OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1));
        let got = wire.call(4, &request.with_topics(topics)).topics[0].partitions[0].clone();
        let answer = format!("{} {} {}", got.error_code, got.leader_epoch, got.end_offset);
        ask(&format!("end of epoch {epoch} seen from {current}"), answer, expected);
    };
    end(0, 0, "0 0 6");
    end(0, -1, "0 0 6");
    end(7, 0, "0 -1 -1");
    end(0, 9, "75 -1 -1");
}

fn created(wire: &mut Wire, topic: &str, ask: Ask<'_>) {
    let long = "x".repeat(250);
    let collides = topic.replace('-', ".");
    type Case<'a> = (&'a str, i32, i16, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 12] = [
        (topic, 1, 1, &[], "36"),
        ("", 1, 1, &[], "17"),
        (".", 1, 1, &[], "17"),
        ("a/b", 1, 1, &[], "17"),
        (&long, 1, 1, &[], "17"),
        ("zero", 0, 1, &[], "37"),
        ("minus", -2, 1, &[], "37"),
        ("many", 1, 3, &[], "38"),
        ("none", 1, 0, &[], "38"),
        ("odd", 1, 1, &[("retention.msec", "1")], "40"),
        ("worse", 1, 1, &[("retention.ms", "soon")], "40"),
        ("low", 1, 1, &[("retention.ms", "-2")], "40"),
    ];
    for (name, partitions, replication, configs, expected) in cases {
        let (code, _) = create(wire, name, partitions, replication, configs);
        ask(&format!("create {name:?}"), code.to_string(), expected);
    }
    let dots = collides.replace('.', "_");
    assert_eq!(create(wire, &collides, 1, 1, &[]).0, 0);
    ask("create what collides", create(wire, &dots, 1, 1, &[]).0.to_string(), "17");
    let mut delete = |topic: &str, expected: &str| {
        let request = DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]);
        let request = request.with_timeout_ms(10_000);
        let code = wire.call(5, &request).responses[0].error_code;
        ask(&format!("delete {topic}"), code.to_string(), expected);
    };
    delete(&collides, "0");
    delete("no-such-topic", "3");
    let mut grow = |topic: &str, count: i32, expected: &str| {
        let topic = CreatePartitionsTopic::default().with_name(name(topic)).with_count(count);
        let topics = vec![topic.with_assignments(None)];
        let request = CreatePartitionsRequest::default().with_topics(topics);
        let code = wire.call(3, &request.with_timeout_ms(10_000)).results[0].error_code;
        ask(&format!("grow to {count}"), code.to_string(), expected);
    };
    grow(topic, 2, "37");
    grow(topic, 1, "37");
    grow("no-such-topic", 9, "3");
}

fn configured(wire: &mut Wire, topic: &str, ask: Ask<'_>) {
    let mut alter =
        |kind: i8, resource: &str, key: &str, operation, value: Option<&str>, expected: &str| {
            let config = incremental::AlterableConfig::default()
                .with_name(StrBytes::from_string(key.into()))
                .with_config_operation(operation)
                .with_value(value.map(|value| StrBytes::from_string(value.into())));
            let resource = incremental::AlterConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(StrBytes::from_string(resource.into()))
                .with_configs(vec![config]);
            let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
            let code = wire.call(1, &request).responses[0].error_code;
            ask(&format!("alter {key} ({operation})"), code.to_string(), expected);
        };
    alter(2, topic, "retention.ms", 0, Some("100000"), "0");
    alter(2, topic, "retention.ms", 1, None, "0");
    alter(2, topic, "retention.ms", 2, Some("1"), "40");
    alter(2, topic, "retention.ms", 0, Some("soon"), "40");
    alter(2, topic, "retention.msec", 0, Some("1"), "40");
    alter(2, topic, "cleanup.policy", 2, Some("delete"), "0");
    alter(2, "no-such-topic", "retention.ms", 0, Some("1"), "3");
    let mut describe = |kind: i8, resource: &str, key: &str, expected: &str| {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(StrBytes::from_string(resource.into()))
            .with_configuration_keys(Some(vec![StrBytes::from_string(key.into())]));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let got = wire.call(4, &request).results[0].clone();
        let values: Vec<String> = got
            .configs
            .iter()
            .map(|c| {
                let value = c.value.as_deref().unwrap_or("null");
                format!(" {value} from {} type {}", c.config_source, c.config_type)
            })
            .collect();
        ask(&format!("describe {key}"), format!("{}{}", got.error_code, values.concat()), expected);
    };
    describe(2, topic, "retention.ms", "0 604800000 from 5 type 5");
    describe(2, topic, "max.message.bytes", "0 1000 from 1 type 3");
    describe(2, topic, "compression.type", "0 producer from 5 type 2");
    describe(2, topic, "message.timestamp.type", "0 CreateTime from 5 type 2");
    describe(2, topic, "no.such.setting", "0");
    describe(2, "no-such-topic", "retention.ms", "3");
    describe(2, "not a name", "retention.ms", "17");
}

fn identified(wire: &mut Wire, topic: &str, ask: Ask<'_>) {
    let mut init = || wire.call(4, &InitProducerIdRequest::default().with_transactional_id(None));
    // Kafka says 14 (load in progress) until it has its first block of ids.
    eventually("there are producer ids", || init().error_code != 14);
    let given = init();
    ask("a producer id", format!("{} {}", given.error_code, given.producer_epoch), "0 0");
    let id = given.producer_id.0;
    let mut send = |sequence, epoch, expected: &str| {
        let records = BatchBuilder::filled(2, 9, now_ms()).producer(id, epoch, sequence).build();
        let got = produce(wire, topic, 1, records.freeze());
        let answer = if got.error == 0 { "0".to_owned() } else { got.error.to_string() };
        ask(&format!("sequence {sequence} of epoch {epoch}"), answer, expected);
    };
    send(0, 1, "0");
    send(0, 1, "0");
    send(5, 1, "45");
    send(2, 1, "0");
    send(3, 2, "45");
    send(0, 2, "0");
    send(4, 1, "47");
    let operations = MetadataRequest::default()
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(name(topic)))]))
        .with_include_topic_authorized_operations(true)
        .with_include_cluster_authorized_operations(true);
    let got = wire.call(8, &operations);
    let topic_operations = got.topics[0].topic_authorized_operations;
    ask("what may be done to a topic", topic_operations.to_string(), "3576");
    ask("and to the cluster", got.cluster_authorized_operations.to_string(), "8096");
    let partition = &got.topics[0].partitions[0];
    let answer = format!("{} {}", partition.leader_epoch, partition.replica_nodes.len());
    ask("leader epoch and replicas", answer, "0 1");
    let mut found = |wanted: MetadataRequestTopic| {
        let request = MetadataRequest::default().with_topics(Some(vec![wanted]));
        let topic = wire.call(12, &request).topics.remove(0);
        let found = topic.name.map(|name| name.to_string());
        (topic.error_code, found.unwrap_or_default(), topic.topic_id)
    };
    let (_, _, id) = found(MetadataRequestTopic::default().with_name(Some(name(topic))));
    let by_id = |name| MetadataRequestTopic::default().with_name(name).with_topic_id(id);
    for (what, wanted) in [("an id", by_id(None)), ("an id and \"\"", by_id(Some(name(""))))] {
        let (code, name, _) = found(wanted);
        ask(&format!("the topic of {what}"), format!("{code} {name}"), &format!("0 {topic}"));
    }
    let (code, ..) = found(MetadataRequestTopic::default().with_name(None).with_topic_id(UNKNOWN));
    ask("the topic of an unknown id", code.to_string(), "100");
}
