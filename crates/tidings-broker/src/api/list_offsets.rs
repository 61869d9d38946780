//! ListOffsets (key 2): the first and the last offset, and offsets by time.
//!
//! "Latest" is the high watermark, which is where the next visible record will be. A look-up by
//! time is precise to the record: within a compressed batch, too.

use std::io;
use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use tidings_log::{Offset, TimePlan};

use crate::api::epoch;
use crate::blocking;
use crate::partition::{Closed, PartitionId};
use crate::shared::{Client, LEADER_EPOCH, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 1..=7;

/// Kafka's special timestamps.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// The record with the highest timestamp (KIP-734), since v7.
const MAX_TIMESTAMP: i64 = -3;

/// What is answered where there is no such record.
const NONE: (i64, i64) = (-1, -1);

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    version: i16,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            partitions.push(one(broker, &topic.name, version, &wanted).await);
        }
        topics.push(
            ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions),
        );
    }
    ListOffsetsResponse::default().with_topics(topics)
}

async fn one(
    broker: &Shared,
    topic: &str,
    version: i16,
    wanted: &ListOffsetsPartition,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(wanted.partition_index)
        .with_timestamp(-1)
        .with_offset(-1)
        .with_leader_epoch(-1);
    match look_up(broker, topic, version, wanted).await {
        Ok((offset, timestamp)) => {
            let response = response.with_offset(offset).with_timestamp(timestamp);
            if version >= 4 && offset >= 0 {
                return response.with_leader_epoch(LEADER_EPOCH);
            }
            response
        }
        Err(error) => response.with_error_code(error.code()),
    }
}

async fn look_up(
    broker: &Shared,
    topic: &str,
    version: i16,
    wanted: &ListOffsetsPartition,
) -> Result<(i64, i64), ResponseError> {
    let unknown = |_: Closed| ResponseError::UnknownTopicOrPartition;
    let partition = broker
        .topics
        .partition(topic, PartitionId(wanted.partition_index))
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    epoch::check(wanted.current_leader_epoch)?;
    let bounds = partition.bounds().map_err(unknown)?;
    match wanted.timestamp {
        LATEST => Ok((bounds.high_watermark.value(), -1)),
        EARLIEST => Ok((bounds.start.value(), -1)),
        MAX_TIMESTAMP if version >= 7 => {
            run(partition.plan_max_timestamp().map_err(unknown)?, bounds.high_watermark).await
        }
        timestamp if timestamp < 0 => Err(ResponseError::UnsupportedVersion),
        timestamp => {
            let plan = partition.plan_offset_for_time(timestamp).map_err(unknown)?;
            run(plan, bounds.high_watermark).await
        }
    }
}

/// Runs a look-up; what lies above the high watermark is not there yet.
async fn run(plan: TimePlan, high_watermark: Offset) -> Result<(i64, i64), ResponseError> {
    match blocking::run(move || plan.run()).await {
        Ok(Some((offset, timestamp))) if offset < high_watermark => Ok((offset.value(), timestamp)),
        Ok(_) => Ok(NONE),
        // Retention took the segment in between; the client asks again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ResponseError::LeaderNotAvailable)
        }
        Err(error) => {
            tracing::error!(%error, "cannot look up an offset by time");
            Err(ResponseError::KafkaStorageError)
        }
    }
}
