//! CreateTopics (key 19). Left out: assigning replicas by hand to nodes that do not exist, and
//! replication factors above 1.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::api::describe_configs::topic_configs;
use crate::blocking;
use crate::shared::{Client, NODE_ID, Shared};
use crate::topics::settings::Settings;
use crate::topics::{NewTopic, Refused};

pub(crate) const VERSIONS: RangeInclusive<i16> = 2..=7;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    version: i16,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mut named: HashMap<TopicName, usize> = HashMap::new();
    for topic in &request.topics {
        *named.entry(topic.name.clone()).or_default() += 1;
    }
    let mut results: Vec<CreatableTopicResult> = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let times = named.insert(topic.name.clone(), 0).unwrap_or(0);
        match times {
            0 => {}
            1 => results.push(create(broker, version, &topic, request.validate_only).await),
            _ => {
                let text = "Duplicate topic name.";
                let refused = Refused::new(ResponseError::InvalidRequest, text);
                results.push(failed(topic.name, refused));
            }
        }
    }
    CreateTopicsResponse::default().with_topics(results)
}

async fn create(
    broker: &Shared,
    version: i16,
    topic: &CreatableTopic,
    validate_only: bool,
) -> CreatableTopicResult {
    match try_create(broker, topic, validate_only).await {
        Ok((id, new)) => {
            let configs = topic_configs(&broker.topics, &new.settings);
            let configs = configs.into_iter().map(|config| {
                CreatableTopicConfigs::default()
                    .with_name(config.name)
                    .with_value(config.value)
                    .with_read_only(config.read_only)
                    .with_config_source(config.config_source)
            });
            CreatableTopicResult::default()
                .with_name(topic.name.clone())
                .with_topic_id(id)
                .with_error_message(None)
                .with_num_partitions(if version >= 5 { new.partitions } else { -1 })
                .with_replication_factor(if version >= 5 { 1 } else { -1 })
                .with_configs(Some(configs.collect()))
        }
        Err(refused) => failed(topic.name.clone(), refused),
    }
}

async fn try_create(
    broker: &Shared,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<(uuid::Uuid, NewTopic), Refused> {
    let new = check(broker, topic)?;
    if validate_only {
        broker.topics.admit(&new)?;
        return Ok((uuid::Uuid::nil(), new));
    }
    let (topics, wanted) = (broker.topics.clone(), new.clone());
    let created = blocking::run(move || topics.create(&wanted)).await?;
    Ok((created.id, new))
}

fn check(broker: &Shared, topic: &CreatableTopic) -> Result<NewTopic, Refused> {
    let partitions = if topic.assignments.is_empty() {
        check_counts(broker, topic)?
    } else {
        check_assignments(topic)?
    };
    let mut overrides = BTreeMap::new();
    for config in &topic.configs {
        let Some(value) = &config.value else {
            let text = format!("Null value not supported for topic configs: {}", config.name);
            return Err(Refused::new(ResponseError::InvalidConfig, text));
        };
        overrides.insert(config.name.to_string(), value.to_string());
    }
    let settings = Settings::parse(&overrides)?;
    Ok(NewTopic { name: topic.name.to_string(), partitions, settings })
}

fn check_counts(broker: &Shared, topic: &CreatableTopic) -> Result<i32, Refused> {
    if !matches!(topic.replication_factor, 1 | -1) {
        let text = format!(
            "Replication factor: {} is not possible: this embedded broker is a single node. \
             Use 1, or -1 for the default.",
            topic.replication_factor
        );
        return Err(Refused::new(ResponseError::InvalidReplicationFactor, text));
    }
    match topic.num_partitions {
        -1 => Ok(broker.config.default_partitions),
        count if count < 1 => Err(Refused::new(
            ResponseError::InvalidPartitions,
            "Number of partitions must be larger than 0, or -1 for the default.",
        )),
        count => Ok(count),
    }
}

/// Assignments by hand must number the partitions from 0 and name this node only.
fn check_assignments(topic: &CreatableTopic) -> Result<i32, Refused> {
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let text = "Both partitions or replication factor and replica assignments are set; \
            both counts must be -1 when replica assignments are used.";
        return Err(Refused::new(ResponseError::InvalidRequest, text));
    }
    let mut indexes: Vec<i32> = topic.assignments.iter().map(|a| a.partition_index).collect();
    indexes.sort_unstable();
    let consecutive = (0..).zip(&indexes).all(|(wanted, index)| wanted == *index);
    if !consecutive || topic.assignments.iter().any(|a| a.broker_ids != [NODE_ID]) {
        let text = "Partitions must be numbered from 0, each assigned to this cluster's one node.";
        return Err(Refused::new(ResponseError::InvalidReplicaAssignment, text));
    }
    Ok(i32::try_from(indexes.len()).unwrap_or(i32::MAX))
}

fn failed(name: TopicName, refused: Refused) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name)
        .with_error_code(refused.error.code())
        .with_error_message(Some(StrBytes::from_string(refused.message)))
        .with_configs(None)
}
