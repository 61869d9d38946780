//! ApiVersions (key 18): which keys and versions this broker serves.
//!
//! The response's header is always v0, even for the flexible versions, because a client that asks
//! does not know yet what the broker speaks (KIP-511). A version that we do not know is answered
//! with a v0 body, error 35 and the list: see `connection.rs`, which meets it before decoding.

use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=4;

pub(crate) async fn handle(
    _broker: &Shared,
    client: &Client,
    version: i16,
    request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    if version >= 3 {
        let name = &request.client_software_name;
        if !is_software_name(name) || !is_software_name(&request.client_software_version) {
            return answer(ResponseError::InvalidRequest.code());
        }
        tracing::debug!(
            peer = %client.addr,
            software = %name,
            version = %request.client_software_version,
            "client introduced itself"
        );
    }
    answer(0)
}

/// The list, under an error code; also the answer to a version that is not served.
pub(crate) fn answer(error_code: i16) -> ApiVersionsResponse {
    let list = super::TABLE.iter().map(|api| {
        ApiVersion::default()
            .with_api_key(api.key)
            .with_min_version(*api.advertised.start())
            .with_max_version(*api.advertised.end())
    });
    ApiVersionsResponse::default().with_error_code(error_code).with_api_keys(list.collect())
}

/// The rule of KIP-511 for the name and version of a client's software.
fn is_software_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let outer = |c: char| c.is_ascii_alphanumeric();
    text.chars().all(inner) && text.starts_with(outer) && text.ends_with(outer)
}
