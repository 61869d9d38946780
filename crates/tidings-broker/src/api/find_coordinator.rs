//! FindCoordinator (key 10): which node coordinates a group. There is one node.
//!
//! Transactions are not offered, so nobody coordinates them: key type 1 is refused with the error
//! that clients take as final. They would repeat any other one until their time-out.

use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use crate::shared::{Client, NODE_ID, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=4;

/// The key type of consumer groups; the other one, 1, is transactions.
const GROUP: i8 = 0;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    version: i16,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    if version >= 4 {
        let keys = request.coordinator_keys.into_iter();
        let found = keys.map(|key| find(broker, request.key_type, key)).collect();
        return FindCoordinatorResponse::default().with_coordinators(found);
    }
    let found = find(broker, request.key_type, request.key);
    FindCoordinatorResponse::default()
        .with_error_code(found.error_code)
        .with_error_message(found.error_message)
        .with_node_id(found.node_id)
        .with_host(found.host)
        .with_port(found.port)
}

fn find(broker: &Shared, key_type: i8, key: StrBytes) -> Coordinator {
    let coordinator = Coordinator::default().with_key(key);
    if key_type != GROUP {
        let text = StrBytes::from_static_str("this broker does not offer transactions");
        return coordinator
            .with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code())
            .with_error_message(Some(text))
            .with_node_id(BrokerId(-1))
            .with_port(-1);
    }
    let (host, port) = &broker.advertised;
    coordinator
        .with_error_message(None)
        .with_node_id(NODE_ID)
        .with_host(StrBytes::from_string(host.clone()))
        .with_port(i32::from(*port))
}
