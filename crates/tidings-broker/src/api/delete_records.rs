//! DeleteRecords (key 21): moves a partition's start, for good.

use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_request::DeleteRecordsPartition;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use tidings_log::{DeleteError, Offset};

use crate::blocking;
use crate::partition::{NotDeleted, PartitionId};
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=2;

/// "Everything that is there now."
const HIGH_WATERMARK: i64 = -1;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    _version: i16,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let result = DeleteRecordsPartitionResult::default()
                .with_partition_index(wanted.partition_index);
            partitions.push(match delete(broker, &topic.name, wanted).await {
                Ok(start) => result.with_low_watermark(start.value()),
                Err(error) => result.with_low_watermark(-1).with_error_code(error.code()),
            });
        }
        topics.push(
            DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions),
        );
    }
    DeleteRecordsResponse::default().with_topics(topics)
}

async fn delete(
    broker: &Shared,
    topic: &str,
    wanted: &DeleteRecordsPartition,
) -> Result<Offset, ResponseError> {
    let unknown = ResponseError::UnknownTopicOrPartition;
    let partition =
        broker.topics.partition(topic, PartitionId(wanted.partition_index)).ok_or(unknown)?;
    let end = partition.bounds().map_err(|_| unknown)?.high_watermark;
    let offset = match wanted.offset {
        HIGH_WATERMARK => end,
        offset if (0..=end.value()).contains(&offset) => Offset(offset),
        _ => return Err(ResponseError::OffsetOutOfRange),
    };
    match blocking::run(move || partition.delete_before(offset)).await {
        Ok(start) => Ok(start),
        Err(NotDeleted::Closed) => Err(unknown),
        Err(NotDeleted::Log(DeleteError::OutOfRange { .. })) => {
            Err(ResponseError::OffsetOutOfRange)
        }
        Err(NotDeleted::Log(error)) => {
            tracing::error!(topic, partition = wanted.partition_index, %error, "cannot delete");
            Err(ResponseError::KafkaStorageError)
        }
    }
}
