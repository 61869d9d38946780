//! The usual requests in short.

use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    CreateTopicsRequest, FetchRequest, ListOffsetsRequest, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::Wire;

/// What a produce of one batch came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Produced {
    pub error: i16,
    pub offset: i64,
    pub message: Option<String>,
}

pub fn name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// Creates a topic, or panics with the broker's message; then waits until its partitions have their
/// leader, which on Apache Kafka comes a moment later.
pub fn topic(wire: &mut Wire, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
    let created = topic;
    let configs = configs.iter().map(|(key, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string((*key).into()))
            .with_value(Some(StrBytes::from_string((*value).into())))
    });
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(configs.collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000);
    let response = wire.call(5, &request);
    assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
    for partition in 0..partitions {
        super::eventually("a leader", || offset_at(wire, created, partition, -1).2 == 0);
    }
}

/// The request that produces one batch with acks=all.
pub fn produce_request(topic: &str, partition: i32, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic])
}

/// Produces one batch.
pub fn produce(wire: &mut Wire, topic: &str, partition: i32, records: Bytes) -> Produced {
    let response = wire.call(9, &produce_request(topic, partition, records));
    let one = &response.responses[0].partition_responses[0];
    let message = one.error_message.as_ref().map(ToString::to_string);
    Produced { error: one.error_code, offset: one.base_offset, message }
}

/// The request that fetches from one partition.
pub fn fetch_request(topic: &str, partition: i32, offset: i64, wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(50 << 20)
        .with_topics(vec![topic])
}

/// Fetches from one partition.
pub fn fetch(
    wire: &mut Wire,
    topic: &str,
    partition: i32,
    offset: i64,
    wait_ms: i32,
) -> PartitionData {
    let mut response = wire.call(11, &fetch_request(topic, partition, offset, wait_ms));
    response.responses.remove(0).partitions.remove(0)
}

/// An offset by timestamp (-1 latest, -2 earliest, -3 highest timestamp): offset, timestamp, error.
pub fn offset_at(wire: &mut Wire, topic: &str, partition: i32, timestamp: i64) -> (i64, i64, i16) {
    let partition = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_timestamp(timestamp)
        .with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let response = wire.call(7, &ListOffsetsRequest::default().with_topics(vec![topic]));
    let one = &response.topics[0].partitions[0];
    (one.offset, one.timestamp, one.error_code)
}
