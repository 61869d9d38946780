//! Settings with their origin: flag over environment over file over the code's default
//! (docs/formats/config.md).
//!
//! Tidings has few settings of its own; everything about the Kafka client goes by librdkafka's
//! dotted names. Both kinds come through all four ways:
//!
//! | | ours | the client's |
//! |---|---|---|
//! | flag | `--bootstrap kafka:9092` | `-X linger.ms=2` |
//! | environment | `TIDINGS_BOOTSTRAP` | `TIDINGS_KAFKA_LINGER_MS` |
//! | `tidings.toml` | `bootstrap = "kafka:9092"` | `[kafka]` with `linger.ms = 2` |
//! | code | `Settings::new("kafka:9092")` | `settings.set("linger.ms", "2", Origin::Code)` |

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

mod client;
mod guarded;
mod java;
mod names;
mod own;
mod properties;
mod said;
mod security;
mod sources;
mod unknown;

pub use own::LogFormat;
pub(crate) use said::Said;
pub use sources::Sources;

/// Where a value comes from; later variants win over earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Origin {
    /// Tidings' own default.
    Default,
    /// The program.
    Code,
    /// The file of this path.
    File(String),
    /// The environment variable of this name.
    Environment(String),
    /// The command line's flag of this name.
    Flag(String),
}

/// All settings of a program, each with its origin.
///
/// ```
/// use tidings::config::{Origin, Settings};
/// let mut settings = Settings::new("127.0.0.1:9092")?;
/// settings.set("linger.ms", "2", Origin::Flag("-X".into()))?;
/// settings.set("linger.ms", "50", Origin::Code)?; // the flag stands above it
/// let shown = settings.show();
/// let linger = shown.iter().find(|s| s.name == "kafka.linger.ms").unwrap();
/// assert_eq!((linger.value.as_str(), linger.origin.to_string()), ("2", "flag -X".into()));
///
/// let wrong = settings.set("liner.ms", "2", Origin::Code).unwrap_err();
/// assert!(wrong.to_string().contains("did you mean `linger.ms`?"));
/// # Ok::<(), tidings::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Settings {
    values: BTreeMap<Name, Value>,
    warnings: Vec<String>,
}

/// One line of `tidings config show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Ours as they are; the client's with `kafka.` before them.
    pub name: String,
    /// The value; `****` for a secret.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// What is wrong with a setting, where it stands, and what to write instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No setting has this name.
    #[error("`{name}` ({origin}) is not a setting{}", unknown::hint(.nearest))]
    Unknown {
        /// The name as it was given.
        name: String,
        /// Where it was given.
        origin: Origin,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A name of the Java client that means nothing here.
    #[error("`{name}` ({origin}) belongs to Kafka's Java client: {instead}")]
    JavaOnly {
        /// The name.
        name: String,
        /// Where it was given.
        origin: Origin,
        /// What to do instead.
        instead: &'static str,
    },
    /// A value that would take away what Tidings promises.
    #[error(
        "`{name} = {value}` ({origin}) is refused: {reason}; whoever wants it all the same \
             writes `danger.{name}`"
    )]
    Guarded {
        /// The property.
        name: &'static str,
        /// The value.
        value: String,
        /// Where it was given.
        origin: Origin,
        /// What would be lost.
        reason: &'static str,
    },
    /// A property that Tidings sets itself.
    #[error("`{name}` ({origin}) is set by Tidings: {instead}")]
    Ours {
        /// The property.
        name: &'static str,
        /// Where it was given.
        origin: Origin,
        /// How to say what is meant.
        instead: &'static str,
    },
    /// A value that the setting cannot have.
    #[error("`{name} = {value}` ({origin}) is wrong: {reason}")]
    Value {
        /// The setting.
        name: String,
        /// The value; `****` for a secret.
        value: String,
        /// Where it was given.
        origin: Origin,
        /// What it must be.
        reason: String,
    },
    /// Settings that do not fit together.
    #[error("{sentence}")]
    Unfit {
        /// Which ones, and what to do.
        sentence: String,
    },
    /// The file cannot be read, or is not TOML.
    #[error("the configuration file {path} cannot be used: {reason}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// The setting's canonical name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Own(&'static str),
    Client(&'static str),
}

#[derive(Clone, Debug)]
struct Value {
    text: String,
    origin: Origin,
}

impl Settings {
    /// Tidings' defaults and this broker; neither file nor environment is read.
    pub fn new(bootstrap: impl Into<String>) -> Result<Settings, ConfigError> {
        let mut settings = Settings::defaults();
        settings.set("bootstrap", bootstrap, Origin::Code)?;
        Ok(settings)
    }

    /// What `tidings.toml` and the environment say, over Tidings' defaults.
    pub fn from_env() -> Result<Settings, ConfigError> {
        Settings::load(Sources::process())
    }

    /// Brings all sources together.
    pub fn load(sources: Sources) -> Result<Settings, ConfigError> {
        let mut settings = Settings::defaults();
        sources.apply(&mut settings)?;
        settings.check()?;
        let warnings = security::warnings(&settings);
        settings.warnings.extend(warnings);
        Ok(settings)
    }

    /// Tidings' defaults alone.
    pub fn defaults() -> Settings {
        Settings { values: BTreeMap::new(), warnings: Vec::new() }
    }

    /// Sets a value, unless one of a higher origin is there. Names are Tidings' own (`bootstrap`),
    /// librdkafka's (`linger.ms`), or Java's where they can be translated.
    pub fn set(
        &mut self,
        name: &str,
        value: impl Into<String>,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        let (name, text) = names::resolve(name, value.into(), &origin)?;
        let stays = self.values.get(&name).is_some_and(|old| rank(&old.origin) > rank(&origin));
        if !stays {
            self.values.insert(name, Value { text, origin });
        }
        Ok(())
    }

    /// The brokers to ask first, `host:port` separated by commas.
    pub fn bootstrap(&self) -> &str {
        self.own(own::BOOTSTRAP)
    }

    /// The source of published events, if set; else a service's name or the program's.
    pub fn source(&self) -> Option<&str> {
        self.given(own::SOURCE)
    }

    /// The stable name of this instance within its group.
    pub fn instance(&self) -> Option<&str> {
        self.given(own::INSTANCE)
    }

    /// Where health and metrics are served; nowhere unless set.
    pub fn http(&self) -> Option<SocketAddr> {
        self.given(own::HTTP).and_then(|text| text.parse().ok())
    }

    /// How logs are written.
    pub fn log(&self) -> LogFormat {
        if self.own(own::LOG) == "json" { LogFormat::Json } else { LogFormat::Text }
    }

    /// Are missing topics created? Else a missing topic is an error that names it.
    pub fn create_topics(&self) -> bool {
        self.own(own::CREATE_TOPICS) == "true"
    }

    /// The number of partitions of a topic that is created.
    pub fn topic_partitions(&self) -> i32 {
        self.own(own::TOPIC_PARTITIONS).parse().unwrap_or(own::DEFAULT_PARTITIONS)
    }

    /// Every setting with its value and origin, secrets masked.
    pub fn show(&self) -> Vec<Shown> {
        let mut shown: BTreeMap<Name, Shown> = BTreeMap::new();
        let defaults = own::defaults().chain(client::defaults());
        for (name, text) in defaults {
            shown.insert(name, Shown::of(name, text, Origin::Default));
        }
        for (name, value) in &self.values {
            shown.insert(*name, Shown::of(*name, &value.text, value.origin.clone()));
        }
        shown.into_values().collect()
    }

    /// What looks like a mistake but is none for sure, such as an unknown `TIDINGS_` variable.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn given(&self, name: &'static str) -> Option<&str> {
        self.values.get(&Name::Own(name)).map(|v| v.text.as_str()).filter(|t| !t.is_empty())
    }

    fn own(&self, name: &'static str) -> &str {
        self.given(name).unwrap_or_else(|| own::default(name))
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::defaults()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.show().into_iter().map(|s| (s.name, (s.value, s.origin)));
        f.debug_map().entries(lines).finish()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Code => f.write_str("code"),
            Origin::File(path) => write!(f, "file {path}"),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

impl Shown {
    fn of(name: Name, text: &str, origin: Origin) -> Shown {
        let value = names::masked(name, text).to_owned();
        match name {
            Name::Own(name) => Shown { name: name.to_owned(), value, origin },
            Name::Client(name) => Shown { name: format!("kafka.{name}"), value, origin },
        }
    }
}

fn rank(origin: &Origin) -> u8 {
    match origin {
        Origin::Default => 0,
        Origin::Code => 1,
        Origin::File(_) => 2,
        Origin::Environment(_) => 3,
        Origin::Flag(_) => 4,
    }
}

#[cfg(test)]
mod tests;
