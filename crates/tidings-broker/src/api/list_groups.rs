//! ListGroups (key 16): every group that has members or offsets; from version 4 only those in the
//! states that are asked for (KIP-518).

use std::ops::RangeInclusive;

use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=4;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    version: i16,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let wanted = |state: &str| {
        let filter = &request.states_filter;
        filter.is_empty() || filter.iter().any(|name| name.eq_ignore_ascii_case(state))
    };
    let listed = broker.groups.list().into_iter().filter(|group| wanted(group.state.name()));
    let groups = listed.map(|group| {
        let found = ListedGroup::default()
            .with_group_id(GroupId(group.group.wire()))
            .with_protocol_type(StrBytes::from_string(group.protocol_type));
        if version >= 4 {
            found.with_group_state(StrBytes::from_static_str(group.state.name()))
        } else {
            found
        }
    });
    ListGroupsResponse::default().with_groups(groups.collect())
}
