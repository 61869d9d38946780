//! A bare connection that speaks the group APIs one call at a time: for what librdkafka hides.

use std::net::SocketAddr;

use bytes::Bytes;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use crate::support;

/// One connection.
pub(super) struct Wire(pub(super) support::Wire);

/// A consumer's subscription to the topic `t`: version 0, without user data.
const TO_T: &[u8] = b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff";
/// The same to `u`.
pub(super) const TO_U: &[u8] = b"\0\0\0\0\0\x01\0\x01u\xff\xff\xff\xff";

/// How to join.
#[derive(Debug)]
pub(super) struct JoinAs<'a> {
    pub(super) version: i16,
    pub(super) member_id: &'a str,
    pub(super) instance: Option<&'a str>,
    pub(super) session_ms: i32,
    pub(super) protocol_type: &'a str,
    pub(super) protocols: &'a [&'a str],
    pub(super) subscription: &'static [u8],
}

impl JoinAs<'_> {
    /// A consumer of the topic `t` with a session of one second.
    pub(super) fn new(version: i16, member_id: &str) -> JoinAs<'_> {
        JoinAs {
            version,
            member_id,
            instance: None,
            session_ms: 1_000,
            protocol_type: "consumer",
            protocols: &["range"],
            subscription: TO_T,
        }
    }
}

impl Wire {
    pub(super) fn connect(addr: SocketAddr) -> Wire {
        Wire(support::Wire::connect(addr))
    }

    pub(super) fn join(&mut self, group: &str, how: JoinAs<'_>) -> JoinGroupResponse {
        let protocols = how.protocols.iter().map(|name| {
            JoinGroupRequestProtocol::default()
                .with_name(text(name))
                .with_metadata(Bytes::from_static(how.subscription))
        });
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_session_timeout_ms(how.session_ms)
            .with_rebalance_timeout_ms(10_000)
            .with_member_id(text(how.member_id))
            .with_group_instance_id(how.instance.map(text))
            .with_protocol_type(text(how.protocol_type))
            .with_protocols(protocols.collect());
        self.0.call(how.version, &request)
    }

    /// The error code and the assignment.
    pub(super) fn sync(
        &mut self,
        group: &str,
        member: &str,
        generation: i32,
        work: &[(&str, &str)],
    ) -> (i16, String) {
        let assignments = work.iter().map(|(member, work)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(member))
                .with_assignment(Bytes::copy_from_slice(work.as_bytes()))
        });
        let request = SyncGroupRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id(generation)
            .with_member_id(text(member))
            .with_assignments(assignments.collect());
        let response = self.0.call(3, &request);
        (response.error_code, String::from_utf8(response.assignment.to_vec()).expect("text"))
    }

    /// The error code of a SyncGroup that says what it takes part in.
    pub(super) fn sync_as(
        &mut self,
        group: &str,
        member: &str,
        generation: i32,
        protocol_type: &str,
        protocol: &str,
    ) -> i16 {
        let request = SyncGroupRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id(generation)
            .with_member_id(text(member))
            .with_protocol_type(Some(text(protocol_type)))
            .with_protocol_name(Some(text(protocol)));
        self.0.call(5, &request).error_code
    }

    pub(super) fn heartbeat_as(
        &mut self,
        group: &str,
        member: &str,
        instance: &str,
        generation: i32,
    ) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id(generation)
            .with_member_id(text(member))
            .with_group_instance_id(Some(text(instance)));
        self.0.call(4, &request).error_code
    }

    pub(super) fn describe(&mut self, group: &str) -> DescribedGroup {
        let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
        self.0.call(5, &request).groups.remove(0)
    }

    pub(super) fn heartbeat(&mut self, group: &str, member: &str, generation: i32) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id(generation)
            .with_member_id(text(member));
        self.0.call(4, &request).error_code
    }

    /// Commits `offset` for the first partition of `t`.
    pub(super) fn commit(
        &mut self,
        group: &str,
        member: &str,
        generation: i32,
        offset: i64,
    ) -> i16 {
        self.commit_all(group, (member, generation), ("t", 0, offset, ""))
    }

    /// Commits offset 1 for the first partition of a topic.
    pub(super) fn commit_by(
        &mut self,
        group: &str,
        member: &str,
        generation: i32,
        topic: &str,
    ) -> i16 {
        self.commit_all(group, (member, generation), (topic, 0, 1, ""))
    }

    /// Commits offset 1 as nobody.
    pub(super) fn commit_at(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        metadata: &str,
    ) -> i16 {
        self.commit_all(group, ("", -1), (topic, partition, 1, metadata))
    }

    fn commit_all(
        &mut self,
        group: &str,
        (member, generation): (&str, i32),
        (topic, partition, offset, metadata): (&str, i32, i64, &str),
    ) -> i16 {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text(metadata)));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(text(member))
            .with_topics(vec![topic]);
        self.0.call(8, &request).topics[0].partitions[0].error_code
    }

    /// The committed offset of the first partition of `t`.
    pub(super) fn fetch(&mut self, group: &str) -> i64 {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(TopicName(text("t")))
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_topics(Some(vec![topic]));
        self.0.call(5, &request).topics[0].partitions[0].committed_offset
    }
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}
