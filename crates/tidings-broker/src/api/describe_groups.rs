//! DescribeGroups (key 15): state, protocol, members and who does what.
//!
//! A group that is not there is described as dead, without an error, as Kafka does up to version 5.
//! Authorized operations are never told: there is no access control.

use std::ops::RangeInclusive;

use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};
use kafka_protocol::protocol::StrBytes;

use crate::groups::{Description, MemberDescription};
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=5;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    version: i16,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = request.groups.into_iter().map(|group| match broker.groups.describe(&group) {
        Some(found) => describe(version, group, found),
        None => DescribedGroup::default()
            .with_group_id(group)
            .with_group_state(StrBytes::from_static_str("Dead")),
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

fn describe(version: i16, group: GroupId, found: Description) -> DescribedGroup {
    let members = found.members.into_iter().map(|member| describe_member(version, member));
    DescribedGroup::default()
        .with_group_id(group)
        .with_group_state(StrBytes::from_static_str(found.state.name()))
        .with_protocol_type(StrBytes::from_string(found.protocol_type))
        .with_protocol_data(StrBytes::from_string(found.protocol))
        .with_members(members.collect())
}

fn describe_member(version: i16, member: MemberDescription) -> DescribedGroupMember {
    let instance = member.instance.map(|instance| instance.wire());
    DescribedGroupMember::default()
        .with_member_id(member.id.wire())
        .with_group_instance_id(instance.filter(|_| version >= 4))
        .with_client_id(StrBytes::from_string(member.client_id))
        .with_client_host(StrBytes::from_string(member.client_host))
        .with_member_metadata(member.metadata)
        .with_member_assignment(member.assignment)
}
