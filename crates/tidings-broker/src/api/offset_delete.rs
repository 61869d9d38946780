//! OffsetDelete (key 47): forgets a group's positions in partitions that its members do not read
//! (KIP-496).

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use crate::groups::{self, GroupName};
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=0;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    _version: i16,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let positions = request.topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(|partition| (topic.name.as_str().into(), partition.partition_index))
    });
    let group = GroupName::from(&*request.group_id);
    let mut outcomes = match broker.groups.delete_offsets(&group, positions.collect()).await {
        Ok(outcomes) => VecDeque::from(outcomes),
        Err(error) => return OffsetDeleteResponse::default().with_error_code(error.code()),
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let outcome = outcomes.pop_front().expect("one outcome per position");
            OffsetDeleteResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(groups::error_code(outcome))
        });
        OffsetDeleteResponseTopic::default()
            .with_partitions(partitions.collect())
            .with_name(topic.name)
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}
