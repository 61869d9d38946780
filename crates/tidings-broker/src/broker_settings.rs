//! This broker's own settings under Kafka's names, for those who ask. All are fixed at start.

use crate::limits::{DEFAULT_MAX_MESSAGE_BYTES, DEFAULT_RETENTION_MS, MAX_REQUEST_BYTES};
use crate::shared::{NODE_ID, Shared};
use crate::topics::settings::Type;

/// One setting and its value in force.
pub(crate) struct BrokerSetting {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    pub(crate) value: String,
    /// Whether it was given at start, as opposed to a default.
    pub(crate) given: bool,
    pub(crate) documentation: &'static str,
}

/// All settings, by name.
pub(crate) fn all(broker: &Shared) -> Vec<BrokerSetting> {
    let config = &broker.config;
    let (host, port) = &broker.advertised;
    let data = config.data.as_ref().map_or("memory".into(), |path| path.display().to_string());
    let default = |name, kind, value: String, documentation| BrokerSetting {
        name,
        kind,
        value,
        given: false,
        documentation,
    };
    let given = |name, kind, value: String, documentation| BrokerSetting {
        name,
        kind,
        value,
        given: true,
        documentation,
    };
    let delay_ms = config.group_initial_rebalance_delay.as_millis();
    let segment_bytes = broker.topics.defaults().segment_bytes;
    let idle_ms = config.idle_timeout.as_millis();
    vec![
        given(
            "advertised.listeners",
            Type::List,
            format!("PLAINTEXT://{host}:{port}"),
            "What clients are told to connect to.",
        ),
        given(
            "auto.create.topics.enable",
            Type::Boolean,
            config.auto_create_topics.to_string(),
            "Whether topics are created on first use.",
        ),
        default(
            "connections.max.idle.ms",
            Type::Long,
            idle_ms.to_string(),
            "A connection that asks nothing for this long is closed.",
        ),
        default(
            "default.replication.factor",
            Type::Int,
            "1".into(),
            "This broker is a single node.",
        ),
        given(
            "group.initial.rebalance.delay.ms",
            Type::Int,
            delay_ms.to_string(),
            "How long an empty group waits for more members.",
        ),
        given(
            "listeners",
            Type::List,
            format!("PLAINTEXT://{}", config.listen),
            "Where it was asked to listen.",
        ),
        default("log.cleanup.policy", Type::List, "delete".into(), "Old segments are deleted."),
        given("log.dirs", Type::String, data, "Where the data lives."),
        default(
            "log.retention.bytes",
            Type::Long,
            "-1".into(),
            "Size of a partition above which its oldest segments go.",
        ),
        given(
            "log.retention.check.interval.ms",
            Type::Long,
            config.retention_interval.as_millis().to_string(),
            "How often retention is applied.",
        ),
        default(
            "log.retention.ms",
            Type::Long,
            DEFAULT_RETENTION_MS.to_string(),
            "Age at which a segment goes.",
        ),
        default(
            "log.segment.bytes",
            Type::Int,
            segment_bytes.to_string(),
            "Size at which a segment is sealed.",
        ),
        default(
            "message.max.bytes",
            Type::Int,
            DEFAULT_MAX_MESSAGE_BYTES.to_string(),
            "The largest record batch that is taken.",
        ),
        default("min.insync.replicas", Type::Int, "1".into(), "There is one replica."),
        given("node.id", Type::Int, NODE_ID.0.to_string(), "The only node."),
        given(
            "num.partitions",
            Type::Int,
            config.default_partitions.to_string(),
            "Partitions of a topic whose creator did not say.",
        ),
        default(
            "socket.request.max.bytes",
            Type::Int,
            MAX_REQUEST_BYTES.to_string(),
            "The largest request that is read.",
        ),
        given(
            "tidings.durability",
            Type::String,
            config.durability.to_string(),
            "What an acknowledged write has survived: power or process.",
        ),
    ]
}
