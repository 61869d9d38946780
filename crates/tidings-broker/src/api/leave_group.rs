//! LeaveGroup (key 13): members go; from version 3 several at once, and by their stable names,
//! which is how an operator removes static ones (KIP-345).

use std::ops::RangeInclusive;

use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::groups::{self, GroupName, InstanceId};
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=5;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    version: i16,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let group = GroupName::from(&*request.group_id);
    if version < 3 {
        let outcome = broker.groups.leave(&group, &(&request.member_id).into(), None);
        return LeaveGroupResponse::default().with_error_code(groups::error_code(outcome));
    }
    let members = request.members.into_iter().map(|member| {
        let instance = member.group_instance_id.as_ref().map(InstanceId::from);
        let leaving = (&member.member_id).into();
        let outcome = broker.groups.leave(&group, &leaving, instance.as_ref());
        MemberResponse::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
            .with_error_code(groups::error_code(outcome))
    });
    LeaveGroupResponse::default().with_members(members.collect())
}
