//! Topics: which are there, which are missing, and creating them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::Settings;

/// How long a request for topics may take, and the broker to carry it out.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The broker's own default for replicas (KIP-464); brokers before 2.4 need a number.
const BROKER_DEFAULT: i32 = -1;

/// Looks after topics.
///
/// ```no_run
/// # async fn example() -> tidings::Result<()> {
/// use tidings::admin::Admin;
/// use tidings::config::Settings;
/// let admin = Admin::new(&Settings::new("127.0.0.1:9092")?)?;
/// let created = admin.ensure(["orders", "payments"]).await?;
/// println!("created: {created:?}; there now: {:?}", admin.topics().await?.keys());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Admin {
    client: Arc<AdminClient<DefaultClientContext>>,
    bootstrap: String,
    partitions: i32,
}

/// What went wrong with a topic.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The client or the broker could not be asked.
    #[error("{bootstrap} cannot be asked about topics: {reason}")]
    Ask {
        /// The brokers' addresses.
        bootstrap: String,
        /// The client's reason.
        reason: String,
        /// Can it be asked again?
        retryable: bool,
    },
    /// The broker did not create a topic.
    #[error("{bootstrap} did not create the topic {topic}: {reason}")]
    Create {
        /// The topic.
        topic: String,
        /// The brokers' addresses.
        bootstrap: String,
        /// The broker's reason.
        reason: String,
    },
    /// Topics that must be there are not.
    #[error("{} missing on {bootstrap}: {}; create {} with `tidings topic create NAME`, or set \
             create_topics = true (TIDINGS_CREATE_TOPICS)",
            if topics.len() == 1 { "a topic is" } else { "topics are" },
            topics.join(", "),
            if topics.len() == 1 { "it" } else { "them" })]
    Missing {
        /// Their names.
        topics: Vec<String>,
        /// The brokers' addresses.
        bootstrap: String,
    },
}

impl AdminError {
    /// Can the same call succeed later, with nothing changed?
    pub fn is_retryable(&self) -> bool {
        matches!(self, AdminError::Ask { retryable: true, .. } | AdminError::Missing { .. })
    }
}

impl Admin {
    /// Makes a client; nothing is asked yet.
    pub fn new(settings: &Settings) -> Result<Admin, AdminError> {
        let bootstrap = settings.bootstrap().to_owned();
        let mut config = settings.client();
        config.set_log_level(RDKafkaLogLevel::Warning);
        let client = config.create().map_err(|e: KafkaError| AdminError::Ask {
            bootstrap: bootstrap.clone(),
            reason: e.to_string(),
            retryable: false,
        })?;
        Ok(Admin { client: Arc::new(client), bootstrap, partitions: settings.topic_partitions() })
    }

    /// All topics with the number of their partitions, Kafka's internal ones left out.
    pub async fn topics(&self) -> Result<BTreeMap<String, usize>, AdminError> {
        let client = Arc::clone(&self.client);
        let asked = tokio::task::spawn_blocking(move || {
            client.inner().fetch_metadata(None, TIMEOUT).map(|metadata| {
                let topics = metadata.topics().iter().filter(|t| !t.name().starts_with("__"));
                topics.map(|t| (t.name().to_owned(), t.partitions().len())).collect()
            })
        });
        match asked.await {
            Ok(Ok(topics)) => Ok(topics),
            Ok(Err(error)) => Err(self.cannot_ask(&error)),
            Err(stopped) => Err(AdminError::Ask {
                bootstrap: self.bootstrap.clone(),
                reason: stopped.to_string(),
                retryable: false,
            }),
        }
    }

    /// Which of these are missing, in their order.
    pub async fn missing<'a>(
        &self,
        wanted: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<String>, AdminError> {
        let there = self.topics().await?;
        let missing = wanted.into_iter().filter(|topic| !there.contains_key(*topic));
        Ok(missing.map(str::to_owned).collect())
    }

    /// An error that names those that are missing.
    pub async fn require<'a>(
        &self,
        wanted: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), AdminError> {
        let topics = self.missing(wanted).await?;
        if topics.is_empty() {
            return Ok(());
        }
        Err(AdminError::Missing { topics, bootstrap: self.bootstrap.clone() })
    }

    /// Creates those that are missing, with the settings' number of partitions, and returns them.
    /// One that somebody else creates meanwhile is no error.
    pub async fn ensure<'a>(
        &self,
        wanted: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<String>, AdminError> {
        let missing = self.missing(wanted).await?;
        for topic in &missing {
            self.create(topic, self.partitions, &[]).await?;
        }
        Ok(missing)
    }

    /// Creates a topic; `configs` are Kafka's names, such as `retention.ms`. Returns false if it
    /// was there.
    pub async fn create(
        &self,
        topic: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<bool, AdminError> {
        let mut answer = self.try_create(topic, partitions, BROKER_DEFAULT, configs).await?;
        if answer == Err(RDKafkaErrorCode::InvalidReplicationFactor) {
            answer = self.try_create(topic, partitions, 1, configs).await?;
        }
        match answer {
            Ok(()) => Ok(true),
            Err(RDKafkaErrorCode::TopicAlreadyExists) => Ok(false),
            Err(code) => Err(AdminError::Create {
                topic: topic.to_owned(),
                bootstrap: self.bootstrap.clone(),
                reason: code.to_string(),
            }),
        }
    }

    async fn try_create(
        &self,
        topic: &str,
        partitions: i32,
        replicas: i32,
        configs: &[(&str, &str)],
    ) -> Result<Result<(), RDKafkaErrorCode>, AdminError> {
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replicas));
        for (name, value) in configs {
            new = new.set(name, value);
        }
        let options =
            AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
        let answers = self.client.create_topics([&new], &options).await;
        let mut answers = answers.map_err(|e| self.cannot_ask(&e))?;
        Ok(match answers.pop() {
            Some(Err((_, code))) => Err(code),
            _ => Ok(()),
        })
    }

    fn cannot_ask(&self, error: &KafkaError) -> AdminError {
        let reason = match error.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => error.to_string(),
        };
        AdminError::Ask { bootstrap: self.bootstrap.clone(), reason, retryable: true }
    }
}
