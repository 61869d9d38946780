//! Tidings' own settings: name, default, and what a value must be.

use std::net::SocketAddr;

use super::Name;

pub(super) const BOOTSTRAP: &str = "bootstrap";
pub(super) const SOURCE: &str = "source";
pub(super) const INSTANCE: &str = "instance";
pub(super) const HTTP: &str = "http";
pub(super) const LOG: &str = "log";
pub(super) const CREATE_TOPICS: &str = "create_topics";
pub(super) const TOPIC_PARTITIONS: &str = "topic_partitions";

/// Room for four instances of a service, and few enough that a laptop does not notice.
pub(super) const DEFAULT_PARTITIONS: i32 = 4;

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Each setting with its default; an empty one means "not set".
pub(super) const ALL: [(&str, &str); 7] = [
    (BOOTSTRAP, "127.0.0.1:9092"),
    (SOURCE, ""),
    (INSTANCE, ""),
    (HTTP, ""),
    (LOG, "text"),
    (CREATE_TOPICS, "false"),
    (TOPIC_PARTITIONS, "4"),
];

pub(super) fn defaults() -> impl Iterator<Item = (Name, &'static str)> {
    ALL.into_iter().map(|(name, value)| (Name::Own(name), value))
}

pub(super) fn default(name: &str) -> &'static str {
    ALL.into_iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value)
}

pub(super) fn find(name: &str) -> Option<&'static str> {
    ALL.into_iter().find(|(n, _)| *n == name).map(|(n, _)| n)
}

/// What is wrong with a value, or the value in its canonical form.
pub(super) fn check(name: &str, value: &str) -> Result<String, String> {
    let value = value.trim();
    match name {
        BOOTSTRAP if value.is_empty() => Err("name at least one broker, as host:port".into()),
        HTTP if !value.is_empty() => http(value),
        LOG => one_of(value, &["text", "json"]),
        CREATE_TOPICS => boolean(value),
        TOPIC_PARTITIONS => match value.parse::<i32>() {
            Ok(1..=10_000) => Ok(value.to_owned()),
            _ => Err("it must be a whole number from 1 to 10000".into()),
        },
        _ if value.chars().any(char::is_control) => Err("it holds a control character".into()),
        _ => Ok(value.to_owned()),
    }
}

/// An address, or a port alone, which means this machine only: health and metrics of a service are
/// not for strangers unless somebody says so.
fn http(value: &str) -> Result<String, String> {
    let bare = value.strip_prefix(':').unwrap_or(value);
    if let Ok(port) = bare.parse::<u16>() {
        return Ok(format!("127.0.0.1:{port}"));
    }
    match value.parse::<SocketAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err("it must be an address such as 127.0.0.1:9464, or a port".into()),
    }
}

fn boolean(value: &str) -> Result<String, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok("true".into()),
        "false" | "0" | "no" | "off" => Ok("false".into()),
        _ => Err("it must be true or false".into()),
    }
}

fn one_of(value: &str, known: &[&str]) -> Result<String, String> {
    let lower = value.to_ascii_lowercase();
    if known.contains(&lower.as_str()) {
        return Ok(lower);
    }
    Err(format!("it must be one of: {}", known.join(", ")))
}
