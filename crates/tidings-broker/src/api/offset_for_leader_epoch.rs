//! OffsetForLeaderEpoch (key 23): where an epoch ends, for clients that check their position
//! (KIP-320). There is one epoch for ever, 0, and it ends where the log does.

use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::api::epoch;
use crate::partition::PartitionId;
use crate::shared::{Client, LEADER_EPOCH, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 2..=4;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    _version: i16,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| one(broker, &topic.topic, wanted));
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn one(broker: &Shared, topic: &str, wanted: &OffsetForLeaderPartition) -> EpochEndOffset {
    let response = EpochEndOffset::default()
        .with_partition(wanted.partition)
        .with_leader_epoch(-1)
        .with_end_offset(-1);
    match end(broker, topic, wanted) {
        Ok(Some(end)) => response.with_leader_epoch(LEADER_EPOCH).with_end_offset(end),
        Ok(None) => response,
        Err(error) => response.with_error_code(error.code()),
    }
}

fn end(
    broker: &Shared,
    topic: &str,
    wanted: &OffsetForLeaderPartition,
) -> Result<Option<i64>, ResponseError> {
    let unknown = ResponseError::UnknownTopicOrPartition;
    let partition = broker.topics.partition(topic, PartitionId(wanted.partition)).ok_or(unknown)?;
    epoch::check(wanted.current_leader_epoch)?;
    let bounds = partition.bounds().map_err(|_| unknown)?;
    Ok((wanted.leader_epoch == LEADER_EPOCH).then(|| bounds.high_watermark.value()))
}
