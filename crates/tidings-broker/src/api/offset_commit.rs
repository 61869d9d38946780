//! OffsetCommit (key 8): a group's positions, kept durably before the answer.
//!
//! The retention time that versions 2 to 4 can carry is not used: since Kafka 2.1 it is the
//! group's (KIP-211).

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use crate::groups::{self, Caller, Checked, GroupName, Position};
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 2..=8;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    _version: i16,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let caller = Caller {
        member_id: (&request.member_id).into(),
        instance: request.group_instance_id.as_ref().map(Into::into),
        generation: request.generation_id_or_member_epoch,
    };
    let positions = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| Position {
            topic: topic.name.as_str().into(),
            partition: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: partition.committed_metadata.as_ref().map_or("", |text| text).into(),
        })
    });
    let group = GroupName::from(&*request.group_id);
    let positions = positions.collect();
    let mut outcomes: VecDeque<Checked> =
        broker.groups.commit(&group, &caller, positions).await.into();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let outcome = outcomes.pop_front().expect("one outcome per position");
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(groups::error_code(outcome))
        });
        OffsetCommitResponseTopic::default()
            .with_partitions(partitions.collect())
            .with_name(topic.name)
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}
