//! CreatePartitions (key 37): gives a topic more partitions; they begin empty.

use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::blocking;
use crate::shared::{Client, NODE_ID, Shared};
use crate::topics::Refused;

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=3;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    _version: i16,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let grown = grow(broker, &topic, request.validate_only).await;
        let result = CreatePartitionsTopicResult::default().with_name(topic.name);
        results.push(match grown {
            Ok(()) => result.with_error_message(None),
            Err(refused) => result
                .with_error_code(refused.error.code())
                .with_error_message(Some(StrBytes::from_string(refused.message))),
        });
    }
    CreatePartitionsResponse::default().with_results(results)
}

async fn grow(
    broker: &Shared,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), Refused> {
    let by_hand = topic.assignments.iter().flatten();
    if by_hand.clone().any(|assignment| assignment.broker_ids != [NODE_ID]) {
        let text = "New partitions can only be assigned to this cluster's one node.";
        return Err(Refused::new(ResponseError::InvalidReplicaAssignment, text));
    }
    let (topics, name, count) = (broker.topics.clone(), topic.name.to_string(), topic.count);
    blocking::run(move || topics.grow(&name, count, validate_only)).await
}
