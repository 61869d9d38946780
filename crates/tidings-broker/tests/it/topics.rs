//! Creating, growing, configuring and deleting topics.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    IncrementalAlterConfigsRequest, MetadataRequest,
};
use kafka_protocol::protocol::StrBytes;
use tidings_broker::{Broker, Config};

use crate::support::named::{differs, only_embedded};
use crate::support::{Wire, batch, either, eventually, fetch, name, offset_at, produce, topic};

/// Tries to create a topic: error code and message.
pub fn create(
    wire: &mut Wire,
    topic: &str,
    partitions: i32,
    replication: i16,
    configs: &[(&str, &str)],
) -> (i16, String) {
    let configs = configs.iter().map(|(key, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string((*key).into()))
            .with_value(Some(StrBytes::from_string((*value).into())))
    });
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(replication)
        .with_configs(configs.collect());
    let response = wire.call(7, &CreateTopicsRequest::default().with_topics(vec![topic]));
    let one = &response.topics[0];
    (one.error_code, one.error_message.clone().unwrap_or_default().to_string())
}

fn delete(wire: &mut Wire, topic: &str) -> i16 {
    let request = DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]);
    wire.call(5, &request).responses[0].error_code
}

/// Error code and number of partitions.
fn metadata(wire: &mut Wire, topic: &str, create: bool) -> (i16, usize) {
    let wanted = MetadataRequestTopic::default().with_name(Some(name(topic)));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![wanted]))
        .with_allow_auto_topic_creation(create);
    let response = wire.call(9, &request);
    (response.topics[0].error_code, response.topics[0].partitions.len())
}

#[tokio::test]
async fn wrong_topics_are_refused_with_kafkas_codes_and_a_sentence() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "orders.eu", 1, &[]);
    let long = "x".repeat(250);
    type Case<'a> = (&'a str, i32, i16, &'a [(&'a str, &'a str)], i16, &'a str);
    let cases: [Case<'_>; 13] = [
        ("orders.eu", 1, 1, &[], 36, "already exists"),
        ("orders_eu", 1, 1, &[], 17, "collides with existing topic: orders.eu"),
        ("", 1, 1, &[], 17, "is empty"),
        (".", 1, 1, &[], 17, "must not be '.' or '..'"),
        ("..", 1, 1, &[], 17, "must not be '.' or '..'"),
        ("../../etc", 1, 1, &[], 17, "only ASCII letters"),
        ("a/b", 1, 1, &[], 17, "only ASCII letters"),
        ("nul\0", 1, 1, &[], 17, "only ASCII letters"),
        (&long, 1, 1, &[], 17, "longer than 249"),
        ("zero", 0, 1, &[], 37, "must be larger than 0"),
        ("many", 1, 3, &[], 38, "single node"),
        ("odd", 1, 1, &[("retention.msec", "1")], 40, "Unknown topic config name"),
        ("huge", 1_000_000, 1, &[], 44, "at most 10000 partitions"),
    ];
    for (name, partitions, replication, configs, error, text) in cases {
        let (code, message) = create(&mut wire, name, partitions, replication, configs);
        assert_eq!(code, error, "{name:?}: {message}");
        assert!(!message.is_empty(), "{name:?}");
        if broker.is_embedded() {
            assert!(message.contains(text), "{name:?}: {message}");
        }
    }
    assert_eq!(create(&mut wire, "fine", -1, -1, &[]).0, 0, "defaults");
    // Apache Kafka answers when the controller knows it, and the broker hears of it later.
    eventually("it has the default number", || metadata(&mut wire, "fine", false) == (0, 4));
}

#[tokio::test]
async fn validate_only_creates_nothing() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    let topic = CreatableTopic::default().with_name(name("t")).with_num_partitions(2);
    let topic = topic.with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_validate_only(true);
    assert_eq!(wire.call(7, &request).topics[0].error_code, 0);
    assert_eq!(metadata(&mut wire, "t", false), (3, 0));
}

#[tokio::test]
async fn topics_are_created_on_first_use_where_the_client_allows_it() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    assert_eq!(metadata(&mut wire, "t", false), (3, 0));
    let (code, _) = metadata(&mut wire, "t", true);
    differs("first-answer-has-the-topic", &format!("error {code}"), "error 0", "error 3");
    eventually("it is there", || metadata(&mut wire, "t", false) == (0, 4));
    assert_eq!(metadata(&mut wire, "not a name", true), (17, 0));
}

#[tokio::test]
async fn topics_are_not_created_on_first_use_where_the_broker_does_not_allow_it() {
    if only_embedded("its broker has a setting of its own") {
        return;
    }
    let config = Config { auto_create_topics: false, ..Config::memory() };
    let broker = Broker::start(config).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    assert_eq!(metadata(&mut wire, "t", true), (3, 0));
}

#[tokio::test]
async fn a_topic_created_again_shares_nothing_with_its_former_self() {
    if only_embedded("it starts the broker again") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    produce(&mut wire, "t", 0, batch(5));
    assert_eq!(delete(&mut wire, "t"), 0);
    assert_eq!(delete(&mut wire, "t"), 3);
    assert_eq!(produce(&mut wire, "t", 0, batch(1)).error, 3);
    topic(&mut wire, "t", 2, &[]);
    assert_eq!(offset_at(&mut wire, "t", 0, -1), (0, -1, 0));
    assert_eq!(produce(&mut wire, "t", 0, batch(1)).offset, 0);
    drop(broker);
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts again");
    let mut wire = Wire::connect(broker.addr());
    assert_eq!(metadata(&mut wire, "t", false), (0, 2));
    assert_eq!(fetch(&mut wire, "t", 0, 0, 0).high_watermark, 1);
    let left = std::fs::read_dir(dir.path().join("topics")).expect("a directory").count();
    assert_eq!(left, 1, "nothing of the first one is left");
}

#[tokio::test]
async fn a_deletion_that_was_interrupted_is_finished_at_start() {
    if only_embedded("it starts the broker again") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let topics = dir.path().join("topics");
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    let entry = std::fs::read_dir(&topics).expect("listed").next().expect("one").expect("listed");
    let path = entry.path();
    let aside = dir.path().join("aside");
    copy_tree(&path, &aside);
    assert_eq!(delete(&mut wire, "t"), 0);
    drop(broker);
    std::fs::rename(&aside, &path).expect("the deletion did not come to its end");
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts again");
    assert!(!path.exists());
    assert_eq!(metadata(&mut Wire::connect(broker.addr()), "t", false), (3, 0));
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("created");
    for entry in std::fs::read_dir(from).expect("listed") {
        let entry = entry.expect("listed");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[tokio::test]
async fn topics_grow_and_never_shrink() {
    let broker = either().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 2, &[]);
    let mut grow = |topic: &str, count| {
        let topic = CreatePartitionsTopic::default().with_name(name(topic)).with_count(count);
        let topic = topic.with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![topic]);
        let request = request.with_timeout_ms(10_000);
        wire.call(3, &request).results[0].error_code
    };
    assert_eq!(grow("t", 5), 0);
    assert_eq!(grow("t", 5), 37);
    assert_eq!(grow("t", 1), 37);
    assert_eq!(grow("missing", 9), 3);
    eventually("they are there", || metadata(&mut wire, "t", false) == (0, 5));
    eventually("they lead", || offset_at(&mut wire, "t", 4, -1).2 == 0);
    assert_eq!(produce(&mut wire, "t", 4, batch(1)).offset, 0);
}

#[tokio::test]
async fn settings_change_and_survive_a_kill() {
    if only_embedded("it starts the broker again") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[("retention.ms", "5000")]);
    let set = |wire: &mut Wire, key: &str, operation, value: Option<&str>| {
        let config = incremental::AlterableConfig::default()
            .with_name(StrBytes::from_string(key.into()))
            .with_config_operation(operation)
            .with_value(value.map(|value| StrBytes::from_string(value.into())));
        let resource = incremental::AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(StrBytes::from_static_str("t"))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        wire.call(1, &request).responses[0].error_code
    };
    assert_eq!(set(&mut wire, "max.message.bytes", 0, Some("100")), 0);
    assert_eq!(set(&mut wire, "retention.ms", 1, None), 0);
    assert_eq!(set(&mut wire, "cleanup.policy", 2, Some("compact")), 40);
    assert_eq!(set(&mut wire, "cleanup.policy", 2, Some("delete")), 0);
    assert_eq!(set(&mut wire, "segment.bytes", 0, Some("many")), 40);
    assert_eq!(set(&mut wire, "retention.ms", 2, Some("1")), 40);
    drop(broker);
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts again");
    let mut wire = Wire::connect(broker.addr());
    assert_eq!(produce(&mut wire, "t", 0, batch(9)).error, 10, "max.message.bytes is 100");
}
