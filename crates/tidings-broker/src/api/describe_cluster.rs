//! DescribeCluster (key 60): the one node of this cluster.

use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

use crate::api::metadata::{CLUSTER_OPERATIONS, NO_OPERATIONS};
use crate::shared::{Client, NODE_ID, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=2;

/// Brokers, as opposed to controllers (KIP-919).
const BROKER_ENDPOINTS: i8 = 1;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    version: i16,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let response = DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_string(broker.ids.cluster().into()))
        .with_controller_id(NODE_ID)
        .with_error_message(None);
    if version >= 1 && request.endpoint_type != BROKER_ENDPOINTS {
        let text = "This listener tells the endpoints of brokers only.";
        return response
            .with_error_code(ResponseError::MismatchedEndpointType.code())
            .with_error_message(Some(StrBytes::from_static_str(text)));
    }
    let (host, port) = &broker.advertised;
    let node = DescribeClusterBroker::default()
        .with_broker_id(NODE_ID)
        .with_host(StrBytes::from_string(host.clone()))
        .with_port(i32::from(*port));
    let asked = request.include_cluster_authorized_operations;
    let operations = if asked { CLUSTER_OPERATIONS } else { NO_OPERATIONS };
    response.with_brokers(vec![node]).with_cluster_authorized_operations(operations)
}
