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
use crate::topics::settings::{Settings, define};
use crate::topics::{Refused, Topic};

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
    topic(broker, resource.resource_type, &resource.resource_name)?;
    let mut overrides = BTreeMap::new();
    for config in &resource.configs {
        define(&config.name)?;
        // A null value means the default.
        if let Some(value) = &config.value {
            overrides.insert(config.name.to_string(), value.to_string());
        }
    }
    apply(broker, &resource.resource_name, &overrides, validate_only).await
}

/// The topic that is to be configured.
pub(super) fn topic(
    broker: &Shared,
    resource_type: i8,
    name: &str,
) -> Result<std::sync::Arc<Topic>, Refused> {
    match resource_type {
        TOPIC => broker.topics.find(name).ok_or_else(|| {
            let text = format!("Topic '{}' does not exist.", name.escape_debug());
            Refused::new(ResponseError::UnknownTopicOrPartition, text)
        }),
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

/// Checks and, unless only that was asked for, applies a topic's new settings.
pub(super) async fn apply(
    broker: &Shared,
    name: &str,
    overrides: &BTreeMap<String, String>,
    validate_only: bool,
) -> Result<(), Refused> {
    let settings = Settings::parse(overrides)?;
    if validate_only {
        return Ok(());
    }
    let (topics, name) = (broker.topics.clone(), name.to_owned());
    blocking::run(move || topics.configure(&name, settings)).await
}
