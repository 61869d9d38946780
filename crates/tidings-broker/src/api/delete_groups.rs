//! DeleteGroups (key 42): forgets groups without members, with their offsets (KIP-229).

use std::ops::RangeInclusive;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::groups::{self, GroupName};
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=2;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    _version: i16,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for group in request.groups_names {
        let outcome = broker.groups.delete(&GroupName::from(&*group)).await;
        let error_code = groups::error_code(outcome);
        results
            .push(DeletableGroupResult::default().with_group_id(group).with_error_code(error_code));
    }
    DeleteGroupsResponse::default().with_results(results)
}
