//! JoinGroup (key 11): a member comes into a group, or comes again for the next generation.
//!
//! The answer waits for the rebalance. From version 4 a member is first given its id (KIP-394),
//! 5 brings static members (KIP-345), 9 tells a static leader that the assignment stands (KIP-814).

use std::ops::RangeInclusive;

use bytes::Bytes;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

use crate::groups::{GroupName, JoinRefused, JoinRequest, Joined, Protocol};
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=9;

pub(crate) async fn handle(
    broker: &Shared,
    client: &Client,
    version: i16,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let group = GroupName::from(&*request.group_id);
    match broker.groups.join(&group, question(client, version, request)).await {
        Ok(joined) => accepted(version, joined),
        Err(refused) => declined(version, &refused),
    }
}

fn question(client: &Client, version: i16, request: JoinGroupRequest) -> JoinRequest {
    let session_timeout_ms = u64::try_from(request.session_timeout_ms).unwrap_or(0);
    // Version 0 knows one timeout for both (KIP-62).
    let rebalance_timeout_ms = match version {
        0 => session_timeout_ms,
        _ => u64::try_from(request.rebalance_timeout_ms).unwrap_or(0),
    };
    let protocols = request.protocols.iter().map(|protocol| Protocol {
        name: (&protocol.name).into(),
        // Copied, because a slice would keep the whole request in memory.
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    });
    JoinRequest {
        member_id: (&request.member_id).into(),
        instance: request.group_instance_id.as_ref().map(Into::into),
        client_id: client.id.to_string(),
        client_host: format!("/{}", client.addr.ip()),
        session_timeout_ms,
        rebalance_timeout_ms: rebalance_timeout_ms.max(1),
        protocol_type: (&request.protocol_type).into(),
        protocols: protocols.collect(),
        fetches_id_first: version >= 4,
        can_skip_assignment: version >= 9,
    }
}

fn accepted(version: i16, joined: Joined) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|member| {
        let instance = member.instance.map(|instance| instance.wire());
        JoinGroupResponseMember::default()
            .with_member_id(member.id.wire())
            .with_group_instance_id(instance.filter(|_| version >= 5))
            .with_metadata(member.metadata)
    });
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(Some(joined.protocol_type.wire()).filter(|_| version >= 7))
        .with_protocol_name(Some(joined.protocol.wire()))
        .with_leader(joined.leader.wire())
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(joined.member_id.wire())
        .with_members(members.collect())
}

fn declined(version: i16, refused: &JoinRefused) -> JoinGroupResponse {
    // Null is allowed from version 7, and is what Kafka sends then.
    let no_name = if version >= 7 { None } else { Some(StrBytes::default()) };
    JoinGroupResponse::default()
        .with_error_code(refused.error.code())
        .with_protocol_name(no_name)
        .with_member_id(refused.member_id.wire())
}
