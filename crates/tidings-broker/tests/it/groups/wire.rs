//! A bare connection that speaks the group APIs one call at a time: for what librdkafka hides.

use std::net::SocketAddr;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

/// One connection.
pub(super) struct Wire(crate::support::Wire);

/// How to join.
pub(super) struct JoinAs<'a> {
    version: i16,
    member_id: &'a str,
}

impl JoinAs<'_> {
    pub(super) fn new(version: i16, member_id: &str) -> JoinAs<'_> {
        JoinAs { version, member_id }
    }
}

impl Wire {
    pub(super) fn connect(addr: SocketAddr) -> Wire {
        Wire(crate::support::Wire::connect(addr))
    }

    /// A consumer of the topic `t` with a session of one second.
    pub(super) fn join(&mut self, group: &str, how: JoinAs<'_>) -> JoinGroupResponse {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"));
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_session_timeout_ms(1_000)
            .with_rebalance_timeout_ms(10_000)
            .with_member_id(text(how.member_id))
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
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
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text("t")))
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

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}
