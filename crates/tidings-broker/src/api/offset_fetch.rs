//! OffsetFetch (key 9): where a group's reading is to go on; from version 8 of several groups.
//!
//! A partition without a position is answered with offset -1 and no error, and so is a group that
//! is not there. `require_stable` is met by itself: without transactions no offset is pending.

use std::ops::RangeInclusive;

use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::groups::{Committed, Offsets};
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 1..=8;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    version: i16,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    if version >= 8 {
        let groups = request.groups.into_iter().map(|group| fetch_group(broker, group));
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    let topics = broker.groups.offsets(&request.group_id, |offsets| match request.topics {
        Some(topics) => topics.into_iter().map(|topic| asked_topic(offsets, topic)).collect(),
        None => all(offsets, |name, partitions| {
            OffsetFetchResponseTopic::default().with_name(name).with_partitions(
                partitions.map(|(partition, found)| single(partition, Some(found))).collect(),
            )
        }),
    });
    OffsetFetchResponse::default().with_topics(topics)
}

fn fetch_group(broker: &Shared, group: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let topics = broker.groups.offsets(&group.group_id, |offsets| match group.topics {
        Some(topics) => topics.into_iter().map(|topic| asked_topics(offsets, topic)).collect(),
        None => all(offsets, |name, partitions| {
            OffsetFetchResponseTopics::default().with_name(name).with_partitions(
                partitions.map(|(partition, found)| grouped(partition, Some(found))).collect(),
            )
        }),
    });
    OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics)
}

fn asked_topic(
    offsets: Option<&Offsets>,
    topic: OffsetFetchRequestTopic,
) -> OffsetFetchResponseTopic {
    let partitions = topic.partition_indexes.into_iter();
    let found = partitions.map(|index| single(index, find(offsets, &topic.name, index)));
    OffsetFetchResponseTopic::default().with_partitions(found.collect()).with_name(topic.name)
}

fn asked_topics(
    offsets: Option<&Offsets>,
    topic: OffsetFetchRequestTopics,
) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.into_iter();
    let found = partitions.map(|index| grouped(index, find(offsets, &topic.name, index)));
    OffsetFetchResponseTopics::default().with_partitions(found.collect()).with_name(topic.name)
}

fn find<'a>(offsets: Option<&'a Offsets>, topic: &str, index: i32) -> Option<&'a Committed> {
    offsets?.find(topic, index)
}

/// Every topic that has positions, made by `make` of its name and positions.
fn all<T>(
    offsets: Option<&Offsets>,
    make: impl Fn(TopicName, &mut dyn Iterator<Item = (i32, &Committed)>) -> T,
) -> Vec<T> {
    let Some(offsets) = offsets else { return Vec::new() };
    let topics = offsets.topics().map(|(name, partitions)| {
        let name = TopicName(StrBytes::from_string(name.to_string()));
        make(name, &mut partitions.iter().map(|(index, committed)| (*index, committed)))
    });
    topics.collect()
}

/// A partition in the shape of versions up to 7.
fn single(index: i32, found: Option<&Committed>) -> OffsetFetchResponsePartition {
    let (offset, leader_epoch, metadata) = parts(found);
    OffsetFetchResponsePartition::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(leader_epoch)
        .with_metadata(Some(metadata))
}

/// A partition in the shape of version 8.
fn grouped(index: i32, found: Option<&Committed>) -> OffsetFetchResponsePartitions {
    let (offset, leader_epoch, metadata) = parts(found);
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(leader_epoch)
        .with_metadata(Some(metadata))
}

fn parts(found: Option<&Committed>) -> (i64, i32, StrBytes) {
    match found {
        Some(found) => {
            let metadata = StrBytes::from_string(found.metadata.to_string());
            (found.offset, found.leader_epoch, metadata)
        }
        None => (-1, -1, StrBytes::default()),
    }
}
