//! DescribeConfigs (key 32): the settings of topics and of this broker, defaults included.

use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker_settings::{self, BrokerSetting};
use crate::shared::{Client, NODE_ID, Shared};
use crate::topics::settings::{DEFINITIONS, Definition, Settings};
use crate::topics::{Refused, Topics};

pub(crate) const VERSIONS: RangeInclusive<i16> = 1..=4;

/// Kafka's numbers for what can be configured.
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;

/// Kafka's numbers for where a value comes from.
const FROM_TOPIC: i8 = 1;
const FROM_BROKER_START: i8 = 4;
const FROM_DEFAULT: i8 = 5;

pub(crate) async fn handle(
    broker: &Shared,
    _client: &Client,
    _version: i16,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request.resources.into_iter().map(|resource| {
        let described = describe(broker, &resource).map(|mut configs| {
            if let Some(keys) = &resource.configuration_keys {
                configs.retain(|config| keys.contains(&config.name));
            }
            for config in &mut configs {
                if !request.include_synonyms {
                    config.synonyms.clear();
                }
                if !request.include_documentation {
                    config.documentation = None;
                }
            }
            configs
        });
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        match described {
            Ok(configs) => result.with_error_message(None).with_configs(configs),
            Err(refused) => result
                .with_error_code(refused.error.code())
                .with_error_message(Some(StrBytes::from_string(refused.message))),
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn describe(
    broker: &Shared,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let name = &*resource.resource_name;
    match resource.resource_type {
        TOPIC => {
            crate::topics::check_name(name)?;
            let topic = broker.topics.find(name).ok_or_else(|| {
                let text = format!("Topic '{name}' does not exist.");
                Refused::new(ResponseError::UnknownTopicOrPartition, text)
            })?;
            Ok(topic_configs(&broker.topics, &topic.settings()))
        }
        // An empty name asks for the cluster-wide defaults, of which there are none.
        BROKER if name.is_empty() => Ok(Vec::new()),
        BROKER if name.parse() == Ok(NODE_ID.0) => Ok(broker_configs(broker)),
        BROKER => {
            let text = format!("There is no node '{name}'; the only one is {}.", NODE_ID.0);
            Err(Refused::new(ResponseError::InvalidRequest, text))
        }
        other => {
            let text = format!("Resources of type {other} have no settings here.");
            Err(Refused::new(ResponseError::InvalidRequest, text))
        }
    }
}

/// All settings of a topic, its own and the defaults.
pub(super) fn topic_configs(
    topics: &Topics,
    settings: &Settings,
) -> Vec<DescribeConfigsResourceResult> {
    DEFINITIONS.iter().map(|definition| topic_config(topics, settings, definition)).collect()
}

fn topic_config(
    topics: &Topics,
    settings: &Settings,
    definition: &Definition,
) -> DescribeConfigsResourceResult {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let default = definition.default(topics.defaults());
    let own = settings.overrides().get(definition.name);
    let synonym = |name: &'static str, value: &str, source| {
        DescribeConfigsSynonym::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(text(value)))
            .with_source(source)
    };
    let own_synonym = own.map(|value| synonym(definition.name, value, FROM_TOPIC));
    let default_synonym = synonym(definition.synonym, &default, FROM_DEFAULT);
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(definition.name))
        .with_value(Some(text(own.unwrap_or(&default))))
        .with_config_source(if own.is_some() { FROM_TOPIC } else { FROM_DEFAULT })
        .with_synonyms(own_synonym.into_iter().chain([default_synonym]).collect())
        .with_config_type(definition.kind as i8)
        .with_documentation(Some(StrBytes::from_static_str(definition.documentation)))
}

fn broker_configs(broker: &Shared) -> Vec<DescribeConfigsResourceResult> {
    let describe = |setting: BrokerSetting| {
        let source = if setting.given { FROM_BROKER_START } else { FROM_DEFAULT };
        let value = Some(StrBytes::from_string(setting.value));
        let synonym = DescribeConfigsSynonym::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(value.clone())
            .with_source(source);
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(value)
            .with_read_only(true)
            .with_config_source(source)
            .with_synonyms(vec![synonym])
            .with_config_type(setting.kind as i8)
            .with_documentation(Some(StrBytes::from_static_str(setting.documentation)))
    };
    broker_settings::all(broker).into_iter().map(describe).collect()
}
