//! From a name as somebody wrote it to the one setting that it means.

use super::java::Java;
use super::{ConfigError, Name, Origin, guarded, java, own, properties, unknown};

const DANGER: &str = "danger.";
const KAFKA: &str = "kafka.";
pub(super) const MASK: &str = "****";

/// The canonical name and value, or what is wrong with them.
pub(super) fn resolve(
    given: &str,
    value: String,
    origin: &Origin,
) -> Result<(Name, String), ConfigError> {
    let name = given.trim();
    if let Some(own) = own::find(name).or_else(|| alias_of_own(strip(name))) {
        let value = own::check(own, &value).map_err(|reason| ConfigError::Value {
            name: own.to_owned(),
            value,
            origin: origin.clone(),
            reason,
        })?;
        return Ok((Name::Own(own), value));
    }
    let danger = name.starts_with(DANGER) || name.strip_prefix(KAFKA).is_some_and(is_danger);
    let property = client_property(given, strip(name), origin)?;
    if let Some(instead) = guarded::ours(property) {
        return Err(ConfigError::Ours { name: property, origin: origin.clone(), instead });
    }
    let value = translate_value(property, value.trim());
    match guarded::reason(property, &value) {
        Some(reason) if !danger => {
            Err(ConfigError::Guarded { name: property, value, origin: origin.clone(), reason })
        }
        _ => Ok((Name::Client(property), value)),
    }
}

/// The value, or `****` where it is a secret.
pub(super) fn masked(name: Name, value: &str) -> &str {
    let Name::Client(name) = name else { return value };
    let secret = ["password", "secret", "passphrase", "key.pem", "oauthbearer.config"];
    let is_secret = secret.iter().any(|word| name.contains(word));
    if is_secret && !value.is_empty() { MASK } else { value }
}

/// The client property that an environment variable's rest means: `LINGER_MS` is `linger.ms`.
pub(super) fn from_environment(rest: &str) -> Option<String> {
    let (danger, rest) = match rest.strip_prefix("DANGER_") {
        Some(rest) => (DANGER, rest),
        None => ("", rest),
    };
    let matches = |name: &&str| name.replace('.', "_").eq_ignore_ascii_case(rest);
    let known = properties::PROPERTIES.iter().map(|(name, _)| *name);
    let known = known.chain(java::names()).find(matches)?;
    Some(format!("{danger}{known}"))
}

fn strip(name: &str) -> &str {
    let name = name.strip_prefix(KAFKA).unwrap_or(name);
    name.strip_prefix(DANGER).unwrap_or(name)
}

fn is_danger(name: &str) -> bool {
    name.starts_with(DANGER)
}

/// Properties of the client that are settings of ours: both spellings set the same thing.
fn alias_of_own(name: &str) -> Option<&'static str> {
    match name {
        "bootstrap.servers" | "metadata.broker.list" => Some(own::BOOTSTRAP),
        "group.instance.id" => Some(own::INSTANCE),
        _ => None,
    }
}

/// Properties with two names in librdkafka are kept under one, so that layers meet.
fn canonical(name: &'static str) -> &'static str {
    match name {
        "sasl.mechanism" => "sasl.mechanisms",
        "request.required.acks" => "acks",
        "queue.buffering.max.ms" => "linger.ms",
        "compression.codec" => "compression.type",
        "message.send.max.retries" => "retries",
        "max.in.flight" => "max.in.flight.requests.per.connection",
        "delivery.timeout.ms" => "message.timeout.ms",
        "max.partition.fetch.bytes" => "fetch.message.max.bytes",
        "auto.commit.enable" => "enable.auto.commit",
        name => name,
    }
}

fn client_property(given: &str, name: &str, origin: &Origin) -> Result<&'static str, ConfigError> {
    if let Some((name, _)) = properties::find(name) {
        return Ok(canonical(name));
    }
    match java::find(name) {
        Some(Java::Is(name)) => Ok(canonical(name)),
        Some(Java::Instead(instead)) => {
            Err(ConfigError::JavaOnly { name: name.to_owned(), origin: origin.clone(), instead })
        }
        None => Err(ConfigError::Unknown {
            name: given.trim().to_owned(),
            origin: origin.clone(),
            nearest: unknown::nearest(name),
        }),
    }
}

/// Values that Java spells differently.
fn translate_value(name: &str, value: &str) -> String {
    match (name, value) {
        ("auto.offset.reset", "none") => "error".to_owned(),
        ("acks", "-1") => "all".to_owned(),
        // What Java's clients are given to ask for no name in the certificate.
        ("ssl.endpoint.identification.algorithm", "") => "none".to_owned(),
        ("partition.assignment.strategy", value) if value.contains("Assignor") => value
            .split(',')
            .map(|class| match class.trim().rsplit('.').next().unwrap_or_default() {
                "CooperativeStickyAssignor" => "cooperative-sticky",
                "RoundRobinAssignor" => "roundrobin",
                "RangeAssignor" => "range",
                other => other,
            })
            .collect::<Vec<_>>()
            .join(","),
        _ => value.to_owned(),
    }
}
