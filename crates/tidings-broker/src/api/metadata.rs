//! Metadata (key 3): which topics there are and who serves them; creates topics on first use.
//!
//! This node leads every partition, in epoch 0. A topic that is named, is missing, and may be
//! created (by the request and by the configuration) is created before the answer, so that the
//! client needs no second round. Left out: offline replicas and racks, which do not exist.

use std::ops::RangeInclusive;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::blocking;
use crate::shared::{Client, LEADER_EPOCH, NODE_ID, Shared};
use crate::topics::settings::Settings;
use crate::topics::{NewTopic, Topic};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=12;

/// Kafka's value for "not asked for".
pub(super) const NO_OPERATIONS: i32 = i32::MIN;

/// What Kafka answers without an authorizer: everything that can be done to a topic (bits of
/// `AclOperation`: read, write, create, delete, alter, describe, describe and alter configs).
const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;

/// The same for a cluster: create, alter, describe, cluster action, describe and alter configs,
/// idempotent write.
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

pub(crate) async fn handle(
    broker: &Shared,
    client: &Client,
    version: i16,
    request: MetadataRequest,
) -> MetadataResponse {
    // Before v1 an empty list means all topics, from then on null does.
    let wanted = request.topics.filter(|topics| version >= 1 || !topics.is_empty());
    let may_create =
        broker.config.auto_create_topics && (version < 4 || request.allow_auto_topic_creation);
    let mut topics = Vec::new();
    match wanted {
        None => topics.extend(broker.topics.all().iter().map(|topic| describe(topic))),
        Some(wanted) => {
            for one in wanted {
                topics.push(find(broker, client, one, may_create).await);
            }
        }
    }
    if version >= 8 && request.include_topic_authorized_operations {
        for topic in &mut topics {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    let mut response = MetadataResponse::default()
        .with_brokers(vec![node(broker)])
        .with_controller_id(NODE_ID)
        .with_cluster_id(Some(StrBytes::from_string(broker.ids.cluster().into())))
        .with_topics(topics);
    if (8..=10).contains(&version) && request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

fn node(broker: &Shared) -> MetadataResponseBroker {
    let (host, port) = &broker.advertised;
    MetadataResponseBroker::default()
        .with_node_id(NODE_ID)
        .with_host(StrBytes::from_string(host.clone()))
        .with_port(i32::from(*port))
}

async fn find(
    broker: &Shared,
    client: &Client,
    wanted: MetadataRequestTopic,
    may_create: bool,
) -> MetadataResponseTopic {
    // Java's client sends an empty name beside the id, so the id decides.
    let named = wanted.name.filter(|_| wanted.topic_id.is_nil());
    let Some(name) = named else {
        return match broker.topics.find_id(wanted.topic_id) {
            Some(topic) => describe(&topic),
            None => failed(None, wanted.topic_id, ResponseError::UnknownTopicId),
        };
    };
    if let Some(topic) = broker.topics.find(&name) {
        return describe(&topic);
    }
    if let Err(refused) = crate::topics::check_name(&name) {
        return failed(Some(name), Uuid::nil(), refused.error);
    }
    if !may_create {
        return failed(Some(name), Uuid::nil(), ResponseError::UnknownTopicOrPartition);
    }
    match create(broker, &name).await {
        Ok(topic) => {
            tracing::info!(topic = &**name, client = %client.id, "created on first use");
            describe(&topic)
        }
        Err(error) => failed(Some(name), Uuid::nil(), error),
    }
}

async fn create(broker: &Shared, name: &str) -> Result<Arc<Topic>, ResponseError> {
    let partitions = broker.config.default_partitions;
    let new = NewTopic { name: name.to_owned(), partitions, settings: Settings::default() };
    let topics = broker.topics.clone();
    let created = blocking::run(move || topics.create(&new)).await;
    created.or_else(|refused| match broker.topics.find(name) {
        // Another client was faster.
        Some(topic) => Ok(topic),
        None => {
            tracing::warn!(topic = name, "not created on first use: {}", refused.message);
            Err(refused.error)
        }
    })
}

fn describe(topic: &Topic) -> MetadataResponseTopic {
    let count = topic.partitions().len();
    let partitions = (0..).take(count).map(|index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(NODE_ID)
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![NODE_ID])
            .with_isr_nodes(vec![NODE_ID])
    });
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name.as_ref().into()))))
        .with_topic_id(topic.id)
        .with_topic_authorized_operations(NO_OPERATIONS)
        .with_partitions(partitions.collect())
}

fn failed(name: Option<TopicName>, id: Uuid, error: ResponseError) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_error_code(error.code())
        .with_name(name)
        .with_topic_id(id)
        .with_topic_authorized_operations(NO_OPERATIONS)
}
