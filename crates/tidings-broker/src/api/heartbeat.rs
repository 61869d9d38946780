//! Heartbeat (key 12): a member is alive, and learns whether it must join again.

use std::ops::RangeInclusive;

use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::groups::{self, Caller, GroupName};
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=4;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    _version: i16,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let caller = Caller {
        member_id: (&request.member_id).into(),
        instance: request.group_instance_id.as_ref().map(Into::into),
        generation: request.generation_id,
    };
    let outcome = broker.groups.heartbeat(&GroupName::from(&*request.group_id), &caller);
    HeartbeatResponse::default().with_error_code(groups::error_code(outcome))
}
