//! The traps that other brokers of this kind fell into, each with its test. Numbers 10 and part of
//! 16 are about transactions and compaction, which are not offered; 11 is told in full by the
//! tests of groups.

use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeConfigsRequest, InitProducerIdRequest,
    MetadataRequest, OffsetForLeaderEpochRequest, ProduceRequest,
};
use kafka_protocol::protocol::{Decodable, Request, StrBytes};
use tidings_broker::{Broker, Config};
use tidings_log::batch::{BatchHeader, Compression};
use tidings_log::testing::BatchBuilder;

use crate::support::named::{differs, only_embedded};
use crate::support::{
    Either, Wire, batch, either, fetch, fetch_request, frame, memory, name, now_ms, offset_at,
    produce, produce_request, topic,
};

fn versions(wire: &mut Wire) -> Vec<(i16, i16, i16)> {
    let listed = wire.call(0, &ApiVersionsRequest::default());
    assert_eq!(listed.error_code, 0);
    listed.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect()
}

#[tokio::test]
async fn pitfall_01_api_versions_header_is_always_v0_and_unknown_versions_get_a_v0_body() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    for version in 0..=4 {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("test"))
            .with_client_software_version(StrBytes::from_static_str("1.0"));
        // `call` finds the body right behind the correlation id, as the header's version 0 has it.
        assert_eq!(wire.call(version, &request).error_code, 0);
    }
    let mut future = BytesMut::new();
    future.put_i16(18);
    future.put_i16(99);
    future.put_i32(7);
    // A header that anybody can read, then a body from the future.
    future.put_i16(-1);
    future.put_u8(0);
    future.put_slice(b"who knows what comes here");
    let mut framed = BytesMut::new();
    framed.put_u32(future.len() as u32);
    framed.put_slice(&future);
    wire.send_bytes(&framed).expect("sent");
    let mut answer = wire.receive_bytes().expect("an answer");
    assert_eq!(answer.get_i32(), 7);
    let answer = ApiVersionsResponse::decode(&mut answer, 0).expect("a v0 body");
    assert_eq!(answer.error_code, 35);
    assert!(answer.api_keys.iter().any(|api| api.api_key == 18 && api.max_version == 4));
    assert_eq!(wire.call(0, &ApiVersionsRequest::default()).error_code, 0, "the same connection");
}

#[tokio::test]
async fn pitfall_02_produce_is_advertised_from_0_and_refused_below_3() {
    if only_embedded("it is about our own table of versions") {
        return;
    }
    let broker = memory().await;
    let mut wire = Wire::connect(broker.addr());
    let list = versions(&mut wire);
    assert!(list.contains(&(0, 0, 11)), "Produce: {list:?}");
    assert!(list.iter().any(|(key, min, _)| *key == 11 && *min == 0), "JoinGroup from 0");
    let mut old = BytesMut::new();
    old.put_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut framed = BytesMut::new();
    framed.put_u32(old.len() as u32);
    framed.put_slice(&old);
    wire.send_bytes(&framed).expect("sent");
    assert!(wire.is_closed());
}

#[tokio::test]
async fn pitfall_03_no_data_is_an_empty_record_set_and_not_null() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    let found = fetch(&mut wire, "t", 0, 0, 0);
    assert_eq!(found.records, Some(Bytes::new()));
    assert_eq!(found.aborted_transactions, None);
    assert_eq!(found.preferred_read_replica, kafka_protocol::messages::BrokerId(-1));
    let missing = fetch(&mut wire, "missing", 0, 0, 0);
    assert_eq!((missing.error_code, missing.records), (3, Some(Bytes::new())));
}

#[tokio::test]
async fn pitfall_04_the_keys_that_librdkafka_gates_its_features_by_are_all_there() {
    if only_embedded("it is about our own table of versions") {
        return;
    }
    let broker = memory().await;
    let list = versions(&mut Wire::connect(broker.addr()));
    let advertised = [
        (0, 0, 11),
        (1, 4, 12),
        (2, 1, 7),
        (3, 0, 12),
        (8, 2, 8),
        (9, 1, 8),
        (10, 0, 4),
        (11, 0, 9),
        (12, 0, 4),
        (13, 0, 5),
        (14, 0, 5),
        (15, 0, 5),
        (16, 0, 4),
        (18, 0, 4),
        (19, 2, 7),
        (20, 1, 5),
        (21, 0, 2),
        (22, 0, 4),
        (23, 2, 4),
        (32, 1, 4),
        (33, 0, 2),
        (37, 0, 3),
        (42, 0, 2),
        (44, 0, 1),
        (47, 0, 0),
        (60, 0, 2),
    ];
    let mut sorted = list;
    sorted.sort_unstable();
    assert_eq!(sorted, advertised);
}

#[tokio::test]
async fn pitfall_05_there_are_no_fetch_sessions() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    let request = fetch_request("t", 0, 0, 0).with_session_id(0).with_session_epoch(0);
    let response = wire.call(11, &request);
    assert_eq!(response.error_code, 0);
    let session = if response.session_id == 0 { "session id 0" } else { "a session" };
    differs("fetch-sessions", session, "session id 0", "a session");
    let response = wire.call(11, &request.with_session_id(5).with_session_epoch(1));
    assert_eq!((response.session_id, response.error_code), (0, 70));
    assert!(response.responses.is_empty());
}

#[tokio::test]
async fn pitfall_06_a_waiting_fetch_is_woken_and_never_polls() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 2, &[]);
    let mut other = Wire::connect(broker.addr());
    let mut woken_by = |offset: i64, act: &mut dyn FnMut(&mut Wire)| {
        let id = other.send(11, &fetch_request("t", 0, offset, 4_000));
        // Whether the fetch waits already or not, the act must end it.
        let began = Instant::now();
        act(&mut wire);
        let response = other.receive::<kafka_protocol::messages::FetchRequest>(11, id);
        let at_once = began.elapsed() < Duration::from_secs(2);
        (response.responses[0].partitions[0].clone(), at_once)
    };
    let (appended, at_once) = woken_by(0, &mut |wire| {
        produce(wire, "t", 0, batch(1));
    });
    assert_eq!((appended.error_code, appended.high_watermark, at_once), (0, 1, true));
    let (deleted, at_once) = woken_by(1, &mut |wire| {
        let names = vec![name("t")];
        let request = kafka_protocol::messages::DeleteTopicsRequest::default();
        wire.call(5, &request.with_topic_names(names));
    });
    let when = if at_once { "at once" } else { "when its wait ends" };
    differs(
        "fetch-of-a-deleted-topic",
        &format!("error {}, {when}", deleted.error_code),
        "error 3, at once",
        "error 0, when its wait ends",
    );
}

#[tokio::test]
async fn pitfall_07_whole_batches_and_the_edges_of_the_log() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    produce(&mut wire, "t", 0, batch(5));
    produce(&mut wire, "t", 0, batch(5));
    // In the middle of the second batch: the whole of it.
    let records = fetch(&mut wire, "t", 0, 7, 0).records.expect("not null");
    let header = BatchHeader::parse(&records).expect("a batch");
    assert_eq!((header.base_offset.value(), header.record_count), (5, 5));
    assert_eq!(header.size(), records.len());
    // Limits below the size of a batch: the first one all the same, and no more.
    let mut request = fetch_request("t", 0, 0, 0).with_max_bytes(1);
    request.topics[0].partitions[0].partition_max_bytes = 1;
    let response = wire.call(11, &request);
    let records = response.responses[0].partitions[0].records.clone().expect("not null");
    assert_eq!(BatchHeader::parse(&records).expect("a batch").size(), records.len());
    // At the end nothing, beyond it and before the start an error.
    let end = fetch(&mut wire, "t", 0, 10, 0);
    assert_eq!((end.error_code, end.records), (0, Some(Bytes::new())));
    for offset in [11, 1_000, -5] {
        let beyond = fetch(&mut wire, "t", 0, offset, 1_000);
        assert_eq!(beyond.error_code, 1, "offset {offset}");
        assert_eq!((beyond.high_watermark, beyond.log_start_offset), (-1, -1));
    }
}

#[tokio::test]
async fn pitfall_08_batches_are_verified_before_they_are_acknowledged() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[("max.message.bytes", "1000")]);
    let good = batch(3);
    let with = |change: &dyn Fn(&mut BytesMut)| {
        let mut bytes = BytesMut::from(&good[..]);
        change(&mut bytes);
        bytes.freeze()
    };
    let recount = |bytes: &mut BytesMut, at: usize, value: u8| {
        bytes[at] = value;
        let crc = crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    };
    let large = BatchBuilder::filled(1, 1_000, now_ms()).build().freeze();
    let two = [&good[..], &good[..]].concat().into();
    let cases: [(&str, Bytes, i16); 8] = [
        ("a bit of a record flipped", with(&|b| *b.last_mut().expect("some") ^= 1), 2),
        ("an old format", with(&|b| b[16] = 1), 87),
        ("a record count that lies", with(&|b| recount(b, 60, 9)), 87),
        ("a control batch", with(&|b| recount(b, 22, 0x20)), 87),
        ("cut short", good.slice(..good.len() - 1), 87),
        ("nothing", Bytes::new(), 87),
        ("two batches", two, 87),
        ("too large for the topic", large, 10),
    ];
    for (what, records, error) in cases {
        let produced = produce(&mut wire, "t", 0, records);
        assert_eq!((produced.error, produced.offset), (error, -1), "{what}");
        let sentence = produced.message.is_some_and(|text| !text.is_empty());
        assert!(sentence || !broker.is_embedded(), "{what} has a sentence");
    }
    let unknown = produce(&mut wire, "t", 0, with(&|b| recount(b, 22, 7)));
    differs("unknown-compression", &format!("error {}", unknown.error), "error 76", "error -1");
    assert_eq!(produce(&mut wire, "t", 0, good).offset, 0, "nothing of all that was kept");
    let snappy = BatchBuilder::filled(2, 9, now_ms()).compression(Compression::Snappy).build();
    assert_eq!(produce(&mut wire, "t", 0, snappy.freeze()).error, 0);
}

/// CRC-32C, bit by bit: slow, short and independent of the code under test.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}

#[tokio::test]
async fn pitfall_09_idempotence_survives_a_kill_and_ids_are_never_given_again() {
    if only_embedded("it starts the broker again") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    let given = wire.call(4, &InitProducerIdRequest::default().with_transactional_id(None));
    assert_eq!((given.error_code, given.producer_epoch), (0, 0));
    let id = given.producer_id.0;
    let from = |sequence, epoch| {
        BatchBuilder::filled(2, 9, now_ms()).producer(id, epoch, sequence).build().freeze()
    };
    for (sequence, offset) in [(0, 0), (2, 2), (4, 4), (2, 2)] {
        let produced = produce(&mut wire, "t", 0, from(sequence, 0));
        assert_eq!((produced.error, produced.offset), (0, offset), "sequence {sequence}");
    }
    drop(broker); // no shutdown: what is not written now is lost
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts again");
    let mut wire = Wire::connect(broker.addr());
    let produced = produce(&mut wire, "t", 0, from(4, 0));
    assert_eq!((produced.error, produced.offset), (0, 4), "a duplicate gets its first offset");
    assert_eq!(produce(&mut wire, "t", 0, from(9, 0)).error, 45, "a gap");
    assert_eq!(produce(&mut wire, "t", 0, from(6, 0)).offset, 6);
    assert_eq!(produce(&mut wire, "t", 0, from(0, 1)).offset, 8, "a new epoch begins at 0");
    assert_eq!(produce(&mut wire, "t", 0, from(8, 0)).error, 47, "the old epoch is fenced");
    let next = wire.call(4, &InitProducerIdRequest::default().with_transactional_id(None));
    assert!(next.producer_id.0 > id);
}

#[tokio::test]
async fn pitfall_10_transactions_are_refused_and_not_advertised() {
    if only_embedded("Apache Kafka has transactions") {
        return;
    }
    let broker = memory().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    let transactions = [24, 25, 26, 27, 28];
    assert!(versions(&mut wire).iter().all(|(key, ..)| !transactions.contains(key)));
    let id = Some(StrBytes::from_static_str("tx").into());
    let refused = wire.call(4, &InitProducerIdRequest::default().with_transactional_id(id.clone()));
    assert_eq!((refused.error_code, refused.producer_id.0), (53, -1));
    let request = produce_request("t", 0, batch(1)).with_transactional_id(id);
    let refused = wire.call(9, &request).responses[0].partition_responses[0].clone();
    assert_eq!(refused.error_code, 53);
    let text = refused.error_message.expect("a sentence");
    assert_eq!(&*text, "this embedded broker does not offer transactions; use Apache Kafka");
}

#[tokio::test]
async fn pitfall_12_the_leader_epoch_is_0_and_the_start_persists() {
    if only_embedded("it starts the broker again") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    produce(&mut wire, "t", 0, batch(10));
    let metadata = wire.call(12, &MetadataRequest::default().with_topics(None));
    let partition = &metadata.topics[0].partitions[0];
    assert_eq!((partition.leader_epoch, partition.leader_id.0), (0, 1));
    assert_eq!(epoch_end(&mut wire, 0), (0, 0, 10));
    assert_eq!(epoch_end(&mut wire, 5), (0, -1, -1));
    let mut wrong = fetch_request("t", 0, 0, 0);
    wrong.topics[0].partitions[0].current_leader_epoch = 3;
    assert_eq!(wire.call(11, &wrong).responses[0].partitions[0].error_code, 75);
    assert_eq!(delete_records(&mut wire, 4), (0, 4));
    assert_eq!(delete_records(&mut wire, 11), (1, -1));
    drop(broker);
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts again");
    let mut wire = Wire::connect(broker.addr());
    assert_eq!(offset_at(&mut wire, "t", 0, -2), (4, -1, 0));
    assert_eq!(fetch(&mut wire, "t", 0, 3, 0).error_code, 1);
    assert_eq!(delete_records(&mut wire, -1), (0, 10), "-1 means all");
}

fn epoch_end(wire: &mut Wire, epoch: i32) -> (i16, i32, i64) {
    use kafka_protocol::messages::offset_for_leader_epoch_request as request;
    let partition = request::OffsetForLeaderPartition::default()
        .with_current_leader_epoch(0)
        .with_leader_epoch(epoch);
    let topic = request::OffsetForLeaderTopic::default().with_topic(name("t"));
    let topics = vec![topic.with_partitions(vec![partition])];
    let response = wire.call(4, &OffsetForLeaderEpochRequest::default().with_topics(topics));
    let one = &response.topics[0].partitions[0];
    (one.error_code, one.leader_epoch, one.end_offset)
}

fn delete_records(wire: &mut Wire, offset: i64) -> (i16, i64) {
    use kafka_protocol::messages::delete_records_request as request;
    let partition = request::DeleteRecordsPartition::default().with_offset(offset);
    let topic = request::DeleteRecordsTopic::default().with_name(name("t"));
    let topics = vec![topic.with_partitions(vec![partition])];
    let request = kafka_protocol::messages::DeleteRecordsRequest::default().with_topics(topics);
    let response = wire.call(2, &request);
    let one = &response.topics[0].partitions[0];
    (one.error_code, one.low_watermark)
}

#[tokio::test]
async fn pitfall_13_offsets_by_time_are_precise_to_the_record() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[("retention.ms", "-1")]);
    assert_eq!(offset_at(&mut wire, "t", 0, 0), (-1, -1, 0), "nothing there");
    for compression in [Compression::None, Compression::Zstd, Compression::Lz4] {
        let times = [100, 300, 200, 400];
        let builder = times.iter().fold(BatchBuilder::new(), |b, t| b.record(*t, None, Some(b"v")));
        produce(&mut wire, "t", 0, builder.compression(compression).build().freeze());
    }
    assert_eq!(offset_at(&mut wire, "t", 0, -1), (12, -1, 0), "latest is the end of the log");
    assert_eq!(offset_at(&mut wire, "t", 0, -2), (0, -1, 0));
    assert_eq!(offset_at(&mut wire, "t", 0, 0), (0, 100, 0));
    assert_eq!(offset_at(&mut wire, "t", 0, 101), (1, 300, 0));
    assert_eq!(offset_at(&mut wire, "t", 0, 301), (3, 400, 0));
    assert_eq!(offset_at(&mut wire, "t", 0, 401), (-1, -1, 0), "none");
    assert_eq!(offset_at(&mut wire, "t", 0, -3), (3, 400, 0), "the first with the highest time");
    // The start moves into the second batch, which is compressed: its records are told apart.
    delete_records(&mut wire, 5);
    assert_eq!(offset_at(&mut wire, "t", 0, 250), (5, 300, 0));
}

#[tokio::test]
async fn pitfall_14_clients_are_told_an_address_that_works() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    let metadata = wire.call(1, &MetadataRequest::default().with_topics(None));
    assert_eq!(&*metadata.brokers[0].host, "127.0.0.1");
    assert_eq!(metadata.brokers[0].port, i32::from(broker.addr().port()));
    assert_eq!(metadata.brokers.len(), 1);
}

#[tokio::test]
async fn pitfall_14_the_address_that_clients_are_told_can_be_set() {
    if only_embedded("its broker has a setting of its own") {
        return;
    }
    let advertise = Some(("kafka.example".to_owned(), 0));
    let config = Config { advertise, ..Config::memory() };
    let broker = Broker::start(config).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    let metadata = wire.call(12, &MetadataRequest::default().with_topics(None));
    assert_eq!(&*metadata.brokers[0].host, "kafka.example");
    assert_eq!(metadata.brokers[0].port, i32::from(broker.addr().port()), "0 is the bound port");
    assert_eq!(broker.bootstrap(), format!("kafka.example:{}", broker.addr().port()));
    assert_eq!(metadata.cluster_id.expect("an id").len(), 22);
}

#[tokio::test]
async fn pitfall_15_order_of_answers_acks_0_and_lengths() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    // Pipelined: answers in order, none for acks=0.
    let silent = produce_request("t", 0, batch(1)).with_acks(0);
    let mut all = BytesMut::new();
    for id in 0..20 {
        let request = if id % 2 == 0 { &silent } else { &produce_request("t", 0, batch(1)) };
        all.put_slice(&frame(id, 9, request));
    }
    all.put_slice(&frame(20, 1, &MetadataRequest::default().with_topics(None)));
    wire.send_bytes(&all).expect("sent");
    for (id, offset) in (0..20).filter(|id| id % 2 == 1).zip((1..).step_by(2)) {
        let response = wire.receive::<ProduceRequest>(9, id);
        assert_eq!(response.responses[0].partition_responses[0].base_offset, offset);
    }
    wire.receive::<MetadataRequest>(1, 20);
    // An error that cannot be told closes the connection.
    let missing = produce_request("missing", 0, batch(1)).with_acks(0);
    wire.send_bytes(&frame(21, 9, &missing)).expect("sent");
    assert!(wire.is_closed());
    for length in [-1_i32, 0, 7, i32::MAX, (100 << 20) + 1] {
        let mut wire = Wire::connect(broker.addr());
        wire.send_bytes(&length.to_be_bytes()).expect("sent");
        if length == 7 {
            // Not even a header. Ours closes without waiting for it, and may have done so.
            let _ = wire.send_bytes(&[0; 7]);
        }
        assert!(wire.is_closed(), "length {length}");
    }
    let refused = wire_acks(&broker, 2);
    assert_eq!(refused, 21, "acks=2 does not exist");
}

fn wire_acks(broker: &Either, acks: i16) -> i16 {
    let mut wire = Wire::connect(broker.addr());
    let response = wire.call(9, &produce_request("t", 0, batch(1)).with_acks(acks));
    response.responses[0].partition_responses[0].error_code
}

#[tokio::test]
async fn pitfall_16_defaults_are_described_and_compaction_is_refused() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[("retention.ms", "5000")]);
    let topic_resource = resource(2, "t");
    let broker_resource = resource(4, "1");
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![topic_resource, broker_resource, resource(2, "missing")])
        .with_include_synonyms(true);
    let response = wire.call(4, &request);
    let values: Vec<_> = response.results[0]
        .configs
        .iter()
        .map(|c| (c.name.to_string(), c.value.clone().unwrap_or_default(), c.config_source))
        .collect();
    let value = |name: &str| values.iter().find(|(n, ..)| n == name).cloned().expect("described");
    assert_eq!(value("retention.ms"), ("retention.ms".into(), "5000".into(), 1));
    assert_eq!(value("cleanup.policy"), ("cleanup.policy".into(), "delete".into(), 5));
    assert_eq!(value("max.message.bytes"), ("max.message.bytes".into(), "1048588".into(), 5));
    let fixed = response.results[1].configs.iter().all(|config| config.read_only);
    let fixed = if fixed { "all read only" } else { "some can be changed" };
    differs("broker-settings", fixed, "all read only", "some can be changed");
    assert!(response.results[1].configs.iter().any(|c| &*c.name == "num.partitions"));
    assert_eq!(response.results[2].error_code, 3);
    let refused = crate::topics::create(&mut wire, "c", 1, 1, &[("cleanup.policy", "compact")]);
    differs("compaction", &format!("error {}", refused.0), "error 40", "error 0");
    if broker.is_embedded() {
        assert!(refused.1.contains("does not offer compaction"), "{}", refused.1);
    }
}

fn resource(kind: i8, name: &str) -> DescribeConfigsResource {
    DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(StrBytes::from_string(name.into()))
        .with_configuration_keys(None)
}

#[test]
fn pitfall_17_librdkafka_builds_without_cmake_or_headers() {
    if only_embedded("it is about our own build") {
        return;
    }
    let manifest = include_str!("../../../../Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("rdkafka =")).expect("a dependency");
    assert!(line.contains("default-features = false") && !line.contains("cmake"), "{line}");
    assert_eq!(ApiVersionsRequest::KEY, 18);
}
