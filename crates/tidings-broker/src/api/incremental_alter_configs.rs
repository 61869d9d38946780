//! IncrementalAlterConfigs (key 44, KIP-339): changes some settings of a topic and leaves the
//! others.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::api::alter_configs;
use crate::shared::{Client, Shared};
use crate::topics::Refused;
use crate::topics::settings::{Defaults, Settings, Type, define};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=1;

/// Kafka's numbers for what is done to a setting.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    _version: i16,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
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
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

async fn alter(
    broker: &Shared,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), Refused> {
    let (kind, name) = (resource.resource_type, &*resource.resource_name);
    let (configs, defaults) = (resource.configs.clone(), broker.topics.defaults().clone());
    let change_all = move |now: &Settings| {
        let mut overrides = now.overrides().clone();
        for config in &configs {
            change(&mut overrides, config, &defaults)?;
        }
        Settings::parse(&overrides)
    };
    alter_configs::configure(broker, kind, name, validate_only, change_all).await
}

fn change(
    overrides: &mut BTreeMap<String, String>,
    config: &AlterableConfig,
    defaults: &Defaults,
) -> Result<(), Refused> {
    let name = config.name.to_string();
    let invalid = |text: String| Err(Refused::new(ResponseError::InvalidConfig, text));
    let Some(value) = config.value.as_deref().or((config.config_operation == DELETE).then_some(""))
    else {
        return invalid(format!("Null value not supported for : {name}"));
    };
    let definition = define(&name)?;
    let is_list = definition.kind == Type::List;
    let now = overrides.get(&name).cloned().unwrap_or_else(|| definition.default(defaults));
    let mut list: Vec<&str> = now.split(',').filter(|item| !item.is_empty()).collect();
    match config.config_operation {
        SET => {
            overrides.insert(name, value.to_owned());
        }
        DELETE => {
            overrides.remove(&name);
        }
        APPEND | SUBTRACT if !is_list => {
            return invalid(format!("{name} is not a list: values can be neither added nor taken"));
        }
        APPEND => {
            list.extend(value.split(',').filter(|item| !now.split(',').any(|had| had == *item)));
            let joined = list.join(",");
            overrides.insert(name, joined);
        }
        SUBTRACT => {
            list.retain(|item| !value.split(',').any(|gone| gone == *item));
            let joined = list.join(",");
            overrides.insert(name, joined);
        }
        other => return invalid(format!("there is no operation {other} on settings")),
    }
    Ok(())
}
