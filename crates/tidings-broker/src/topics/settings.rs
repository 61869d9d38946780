//! A topic's settings: Kafka's names, our defaults, and what values are taken.
//!
//! A setting that would be accepted and ignored is worse than one that is refused, so the list
//! below holds what is honoured, and those with one value in force (like `compression.type`)
//! take that value only.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use tidings_log::{LogConfig, TimestampType};

use crate::limits::{
    DEFAULT_MAX_MESSAGE_BYTES, DEFAULT_RETENTION_MS, MAX_MESSAGE_BYTES, MAX_SEGMENT_BYTES,
    MIN_SEGMENT_BYTES,
};
use crate::topics::Refused;

/// Kafka's numbers for the types of settings (KIP-569).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub(crate) enum Type {
    Boolean = 1,
    String = 2,
    Int = 3,
    Long = 5,
    List = 7,
}

/// What topics are like whose creator did not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) segment_bytes: u64,
}

/// One setting that topics have.
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    /// The broker's setting that gives the default.
    pub(crate) synonym: &'static str,
    pub(crate) documentation: &'static str,
    default: fn(&Defaults) -> String,
    check: fn(&str) -> Result<(), String>,
}

impl Definition {
    pub(crate) fn default(&self, defaults: &Defaults) -> String {
        (self.default)(defaults)
    }
}

/// All settings of topics, by name.
pub(crate) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "cleanup.policy",
        kind: Type::List,
        synonym: "log.cleanup.policy",
        documentation: "What happens to old segments: they are deleted.",
        default: |_| "delete".into(),
        check: cleanup_policy,
    },
    Definition {
        name: "compression.type",
        kind: Type::String,
        synonym: "compression.type",
        documentation: "Batches are kept as their producer compressed them.",
        default: |_| "producer".into(),
        check: |value| only(value, "producer", "batches are never compressed again"),
    },
    Definition {
        name: "max.message.bytes",
        kind: Type::Int,
        synonym: "message.max.bytes",
        documentation: "The largest record batch that is taken, after compression.",
        default: |_| DEFAULT_MAX_MESSAGE_BYTES.to_string(),
        check: |value| number(value, 0, MAX_MESSAGE_BYTES as i64).map(drop),
    },
    Definition {
        name: "message.timestamp.type",
        kind: Type::String,
        synonym: "log.message.timestamp.type",
        documentation: "Whether a record's time is its producer's or that of the append.",
        default: |_| "CreateTime".into(),
        check: |value| match value {
            "CreateTime" | "LogAppendTime" => Ok(()),
            _ => Err("it must be CreateTime or LogAppendTime".into()),
        },
    },
    Definition {
        name: "min.insync.replicas",
        kind: Type::Int,
        synonym: "min.insync.replicas",
        documentation: "There is one replica.",
        default: |_| "1".into(),
        check: |value| only(value, "1", "this broker is a single node"),
    },
    Definition {
        name: "retention.bytes",
        kind: Type::Long,
        synonym: "log.retention.bytes",
        documentation: "Size of a partition above which its oldest segments go; -1 for none.",
        default: |_| "-1".into(),
        check: |value| number(value, -1, i64::MAX).map(drop),
    },
    Definition {
        name: "retention.ms",
        kind: Type::Long,
        synonym: "log.retention.ms",
        documentation: "Age of a segment's newest record at which it goes; -1 for never.",
        default: |_| DEFAULT_RETENTION_MS.to_string(),
        check: |value| number(value, -1, i64::MAX).map(drop),
    },
    Definition {
        name: "segment.bytes",
        kind: Type::Int,
        synonym: "log.segment.bytes",
        documentation: "Size at which a segment is sealed; retention removes whole segments.",
        default: |defaults| defaults.segment_bytes.to_string(),
        check: |value| number(value, MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES).map(drop),
    },
];

/// Settings that Apache Kafka's topics have and ours do not; named so that the refusal can say so.
const NOT_OFFERED: &[&str] = &[
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.difference.max.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "preallocate",
    "remote.storage.enable",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];

/// A topic's own settings, checked; everything else is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    overrides: BTreeMap<String, String>,
}

impl Settings {
    /// Checks names and values.
    pub(crate) fn parse(overrides: &BTreeMap<String, String>) -> Result<Settings, Refused> {
        for (name, value) in overrides {
            let definition = define(name)?;
            (definition.check)(value.trim()).map_err(|why| {
                let value = value.escape_debug();
                invalid(format!("Invalid value {value} for configuration {name}: {why}"))
            })?;
        }
        let trim = |(name, value): (&String, &String)| (name.clone(), value.trim().to_owned());
        Ok(Settings { overrides: overrides.iter().map(trim).collect() })
    }

    /// The settings that were given, by name.
    pub(crate) fn overrides(&self) -> &BTreeMap<String, String> {
        &self.overrides
    }

    /// The largest batch that is taken.
    pub(crate) fn max_message_bytes(&self) -> usize {
        let bytes = self.number("max.message.bytes");
        bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(DEFAULT_MAX_MESSAGE_BYTES)
    }

    /// What the log must know.
    pub(crate) fn log_config(&self, defaults: &Defaults) -> LogConfig {
        let or_none = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        let log_append = self.overrides.get("message.timestamp.type").map(String::as_str);
        LogConfig {
            segment_bytes: or_none(self.number("segment.bytes")).unwrap_or(defaults.segment_bytes),
            retention_ms: or_none(self.number("retention.ms").or(Some(DEFAULT_RETENTION_MS))),
            retention_bytes: or_none(self.number("retention.bytes")),
            timestamp_type: match log_append {
                Some("LogAppendTime") => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            ..LogConfig::default()
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.overrides.get(name)?.parse().ok()
    }
}

/// The definition of a setting, or why there is none.
pub(crate) fn define(name: &str) -> Result<&'static Definition, Refused> {
    if let Some(definition) = DEFINITIONS.iter().find(|definition| definition.name == name) {
        return Ok(definition);
    }
    Err(invalid(if NOT_OFFERED.contains(&name) {
        format!("{name} is a setting of Apache Kafka that this embedded broker does not offer")
    } else {
        format!("Unknown topic config name: {}", name.escape_debug())
    }))
}

fn invalid(message: String) -> Refused {
    Refused::new(ResponseError::InvalidConfig, message)
}

fn cleanup_policy(value: &str) -> Result<(), String> {
    if value.split(',').any(|policy| policy.trim() == "compact") {
        return Err("this embedded broker does not offer compaction; \
            use cleanup.policy=delete here, or Apache Kafka"
            .into());
    }
    only(value, "delete", "that is the only policy")
}

fn only(value: &str, allowed: &str, why: &str) -> Result<(), String> {
    if value == allowed { Ok(()) } else { Err(format!("only {allowed} is possible: {why}")) }
}

fn number(value: &str, least: i64, most: i64) -> Result<i64, String> {
    let number: i64 = value.parse().map_err(|_| "it is not a whole number".to_owned())?;
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(format!("it must be between {least} and {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Settings::parse(&pairs).map_err(|refused| {
            assert_eq!(refused.error, ResponseError::InvalidConfig);
            refused.message
        })
    }

    #[test]
    fn values_reach_the_log() {
        let defaults = Defaults { segment_bytes: 5 };
        let default = Settings::default().log_config(&defaults);
        assert_eq!(default.segment_bytes, 5);
        assert_eq!(default.retention_ms, Some(604_800_000));
        assert_eq!(default.retention_bytes, None);
        let settings = parse(&[
            ("retention.ms", " -1"),
            ("retention.bytes", "7"),
            ("segment.bytes", "100"),
            ("message.timestamp.type", "LogAppendTime"),
            ("max.message.bytes", "9"),
        ]);
        let settings = settings.expect("valid");
        let log = settings.log_config(&defaults);
        assert_eq!(
            (log.retention_ms, log.retention_bytes, log.segment_bytes),
            (None, Some(7), 100)
        );
        assert_eq!(log.timestamp_type, TimestampType::LogAppendTime);
        assert_eq!(settings.max_message_bytes(), 9);
    }

    #[test]
    fn what_is_not_honoured_is_refused_with_its_reason() {
        let cases = [
            ("cleanup.policy", "compact", "does not offer compaction"),
            ("cleanup.policy", "delete,compact", "does not offer compaction"),
            ("compression.type", "zstd", "only producer is possible"),
            ("min.insync.replicas", "2", "single node"),
            ("retention.ms", "soon", "not a whole number"),
            ("retention.ms", "-2", "between -1 and"),
            ("segment.ms", "1000", "does not offer"),
            ("retention.msec", "1", "Unknown topic config name: retention.msec"),
        ];
        for (name, value, text) in cases {
            let message = parse(&[(name, value)]).expect_err(name);
            assert!(message.contains(text), "{name}={value}: {message}");
        }
    }

    #[test]
    fn defaults_are_values_that_would_be_taken() {
        let defaults = Defaults { segment_bytes: 1 << 30 };
        for definition in DEFINITIONS {
            let value = definition.default(&defaults);
            assert_eq!((definition.check)(&value), Ok(()), "{}={value}", definition.name);
        }
    }
}
