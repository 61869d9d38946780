//! AlterConfigs (key 33): replaces all settings of a topic. Settings of the broker are fixed at
//! start.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::api::describe_configs::{BROKER, TOPIC};
use crate::blocking;
use crate::shared::{Client, Shared};
use crate::topics::Refused;
use crate::topics::settings::Settings;

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=2;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    _version: i16,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let altered = alter(broker, &resource, request.validate_only).await;
        let response = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        responses.push(match altered {
            Ok(()) => response.with_error_message(None),
            Err(refused) => response
                .with_error_code(refused.error.code())
                .with_error_message(Some(StrBytes::from_string(refused.message))),
        });
    }
    AlterConfigsResponse::default().with_responses(responses)
}

async fn alter(
    broker: &Shared,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), Refused> {
    let mut overrides = BTreeMap::new();
    for config in &resource.configs {
        // A null value means the default.
        if let Some(value) = &config.value {
            overrides.insert(config.name.to_string(), value.to_string());
        }
    }
    let (kind, name) = (resource.resource_type, &*resource.resource_name);
    let replace = move |_: &Settings| Settings::parse(&overrides);
    configure(broker, kind, name, validate_only, replace).await
}

/// Changes the settings of a topic; those of anything else are fixed.
pub(super) async fn configure(
    broker: &Shared,
    resource_type: i8,
    name: &str,
    validate_only: bool,
    change: impl FnOnce(&Settings) -> Result<Settings, Refused> + Send + 'static,
) -> Result<(), Refused> {
    match resource_type {
        TOPIC => {
            let (topics, name) = (broker.topics.clone(), name.to_owned());
            blocking::run(move || topics.configure(&name, validate_only, change)).await
        }
        BROKER => {
            let text = "The settings of this broker are fixed at its start.";
            Err(Refused::new(ResponseError::InvalidRequest, text))
        }
        other => {
            let text = format!("Resources of type {other} have no settings here.");
            Err(Refused::new(ResponseError::InvalidRequest, text))
        }
    }
}
