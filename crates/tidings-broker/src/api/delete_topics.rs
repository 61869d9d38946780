//! DeleteTopics (key 20), by name. What groups committed for the topic goes with it.

use std::ops::RangeInclusive;

use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::blocking;
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 1..=5;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    version: i16,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let mut responses = Vec::with_capacity(request.topic_names.len());
    for name in request.topic_names {
        responses.push(delete(broker, version, name).await);
    }
    DeleteTopicsResponse::default().with_responses(responses)
}

async fn delete(broker: &Shared, version: i16, name: TopicName) -> DeletableTopicResult {
    let (topics, topic) = (broker.topics.clone(), name.to_string());
    let response = DeletableTopicResult::default().with_name(Some(name));
    match blocking::run(move || topics.delete(&topic)).await {
        Ok(topic) => {
            broker.groups.topic_deleted(&topic.name).await;
            response.with_error_message(None)
        }
        Err(refused) => {
            let message = Some(StrBytes::from_string(refused.message)).filter(|_| version >= 5);
            response.with_error_code(refused.error.code()).with_error_message(message)
        }
    }
}
