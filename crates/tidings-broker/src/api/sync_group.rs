//! SyncGroup (key 14): the leader brings the assignments, every member fetches its own.
//!
//! The answer waits for the leader. From version 3 static members name themselves (KIP-345), from
//! 5 the protocol is checked (KIP-559).

use std::ops::RangeInclusive;

use bytes::Bytes;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::groups::{Caller, GroupName, SyncRequest};
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=5;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    version: i16,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let group = GroupName::from(&*request.group_id);
    let assignments = request.assignments.iter().map(|part| {
        // Copied, because a slice would keep the whole request in memory.
        ((&part.member_id).into(), Bytes::copy_from_slice(&part.assignment))
    });
    let question = SyncRequest {
        caller: Caller {
            member_id: (&request.member_id).into(),
            instance: request.group_instance_id.as_ref().map(Into::into),
            generation: request.generation_id,
        },
        protocol_type: request.protocol_type.as_ref().map(Into::into),
        protocol: request.protocol_name.as_ref().map(Into::into),
        assignments: assignments.collect(),
    };
    match broker.groups.sync(&group, question).await {
        Ok(synced) if version >= 5 => SyncGroupResponse::default()
            .with_protocol_type(Some(synced.protocol_type.wire()))
            .with_protocol_name(Some(synced.protocol.wire()))
            .with_assignment(synced.assignment),
        Ok(synced) => SyncGroupResponse::default().with_assignment(synced.assignment),
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    }
}
