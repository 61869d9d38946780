//! A setting as a sentence quotes it: its name, its value unless it is a secret, and where it was
//! given.

use std::fmt;

use super::{Name, Origin, Settings, names, properties};

/// One setting, given or not.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    name: &'static str,
    /// Masked if it is a secret.
    value: Option<String>,
    origin: Origin,
}

impl Settings {
    /// What is said about a property of the client.
    pub(crate) fn said(&self, name: &'static str) -> Said {
        // librdkafka has two names for it; people know the one of Java's client.
        let canonical = if name == "sasl.mechanism" { "sasl.mechanisms" } else { name };
        let key = properties::find(canonical).map(|(name, _)| Name::Client(name));
        match key.and_then(|key| Some((key, self.values.get(&key)?))) {
            Some((key, value)) if !value.text.is_empty() => Said {
                name,
                value: Some(names::masked(key, &value.text).to_owned()),
                origin: value.origin.clone(),
            },
            _ => Said { name, value: None, origin: Origin::Default },
        }
    }
}

impl Said {
    /// The value; empty where there is none.
    pub(crate) fn value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// Was it given, by whomever?
    pub(crate) fn is_given(&self) -> bool {
        self.value.is_some()
    }

    /// Where it was given.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The name alone, as it is to be typed.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said { name, origin, .. } = self;
        match self.value.as_deref() {
            None => write!(f, "`{name}` (not set)"),
            Some(names::MASK) => write!(f, "`{name}` ({origin})"),
            Some(value) => write!(f, "`{name} = {value}` ({origin})"),
        }
    }
}
