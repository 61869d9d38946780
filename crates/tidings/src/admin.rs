//! Topics: which are there, which are missing, and creating them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, Producer};

use crate::config::Settings;
use crate::link::{Act, CALLBACKS, Link, NotAllowed, Unanswered};
use crate::publisher::ConnectError;

/// How long a request for topics may take, and the broker to carry it out.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How soon a partition without leader is looked at again: Apache Kafka needs some milliseconds.
const LEADER_POLL: Duration = Duration::from_millis(5);

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
    client: Arc<AdminClient<Link>>,
    link: Link,
    config: ClientConfig,
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
    /// The broker cannot be reached, or refuses this client.
    #[error(transparent)]
    Connect(Box<ConnectError>),
    /// The broker does not allow it.
    #[error("{0}")]
    NotAllowed(Box<NotAllowed>),
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
        match self {
            AdminError::Connect(error) => error.is_retryable(),
            AdminError::Ask { retryable, .. } => *retryable,
            AdminError::Missing { .. } => true,
            AdminError::NotAllowed(_) | AdminError::Create { .. } => false,
        }
    }
}

impl Admin {
    /// Makes a client; nothing is asked yet.
    pub fn new(settings: &Settings) -> Result<Admin, AdminError> {
        Admin::over(settings, Link::new(settings))
    }

    /// Makes a client that tells the link what happens.
    pub(crate) fn over(settings: &Settings, link: Link) -> Result<Admin, AdminError> {
        let bootstrap = settings.bootstrap().to_owned();
        let mut config = settings.client();
        Link::tell_all(&mut config);
        let client = config.create_with_context(link.clone());
        let client = client.map_err(|error: KafkaError| AdminError::Ask {
            bootstrap: bootstrap.clone(),
            reason: error.to_string(),
            retryable: false,
        })?;
        let partitions = settings.topic_partitions();
        Ok(Admin { client: Arc::new(client), link, config, bootstrap, partitions })
    }

    /// All topics with the number of their partitions, Kafka's internal ones left out, and those
    /// that this client may not know about.
    pub async fn topics(&self) -> Result<BTreeMap<String, usize>, AdminError> {
        self.look(Vec::new()).await
    }

    /// Which of these are missing, in their order. One that this client may not know about is an
    /// error that says so.
    pub async fn missing<'a>(
        &self,
        wanted: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<String>, AdminError> {
        let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
        let there = self.look(wanted.clone()).await?;
        Ok(wanted.into_iter().filter(|topic| !there.contains_key(topic)).collect())
    }

    /// All topics, and of those that are wanted and not among them whether they are hidden.
    async fn look(&self, wanted: Vec<String>) -> Result<BTreeMap<String, usize>, AdminError> {
        let admin = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let asker = Asker::new(&admin)?;
            let there = topics_of(&asker.ask(None)?);
            for topic in wanted.iter().filter(|topic| !there.contains_key(*topic)) {
                let answer = asker.ask(Some(topic))?;
                let codes = answer.topics().iter().filter_map(|topic| topic.error());
                let hidden = RDKafkaErrorCode::TopicAuthorizationFailed;
                if codes.map(RDKafkaErrorCode::from).any(|code| code == hidden) {
                    return Err(admin.not_allowed(Act::Describe(topic)));
                }
            }
            Ok(there)
        });
        looked.await.unwrap_or_else(|stopped| {
            Err(AdminError::Ask {
                bootstrap: self.bootstrap.clone(),
                reason: stopped.to_string(),
                retryable: false,
            })
        })
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
        let mut created = Vec::new();
        for topic in self.missing(wanted).await? {
            // A broker may not list yet what was created a moment ago (Apache Kafka does not).
            if self.create(&topic, self.partitions, &[]).await? {
                created.push(topic);
            }
        }
        Ok(created)
    }

    /// Creates a topic; `configs` are Kafka's names, such as `retention.ms`. Returns false if it
    /// was there, and true when every partition of it can be written.
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
            Ok(()) => {
                self.wait_for_leaders(topic, partitions).await;
                Ok(true)
            }
            Err(RDKafkaErrorCode::TopicAlreadyExists) => Ok(false),
            Err(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed,
            ) => Err(self.not_allowed(Act::Create(topic))),
            Err(code) => Err(AdminError::Create {
                topic: topic.to_owned(),
                bootstrap: self.bootstrap.clone(),
                reason: code.to_string(),
            }),
        }
    }

    /// Apache Kafka names a partition's leader a moment before it leads. An idempotent producer
    /// that writes in that moment can have its first batch refused and the next ones taken, and
    /// then the first one never again: its sequence is out of order for ever.
    async fn wait_for_leaders(&self, topic: &str, partitions: i32) {
        let (client, name) = (Arc::clone(&self.client), topic.to_owned());
        let asking = tokio::task::spawn_blocking(move || {
            let deadline = Instant::now() + TIMEOUT;
            let leads = |partition| client.inner().fetch_watermarks(&name, partition, TIMEOUT);
            for partition in 0..partitions {
                while let Err(error) = leads(partition) {
                    if Instant::now() > deadline {
                        tracing::warn!(topic = name, partition, %error, "has no leader yet");
                        return;
                    }
                    std::thread::sleep(LEADER_POLL);
                }
            }
        });
        // A runtime that shuts down is told by whatever is asked next.
        let _ended = asking.await;
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

    fn not_allowed(&self, act: Act<'_>) -> AdminError {
        AdminError::NotAllowed(Box::new(self.link.not_allowed(act)))
    }

    fn cannot_ask(&self, error: &KafkaError) -> AdminError {
        let reason = match error.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => error.to_string(),
        };
        AdminError::Ask { bootstrap: self.bootstrap.clone(), reason, retryable: true }
    }
}

/// A client for questions. The one for changes keeps to itself why a broker cannot be reached.
struct Asker<'a> {
    admin: &'a Admin,
    /// There until it is dropped.
    client: Option<BaseProducer<Link>>,
}

impl Asker<'_> {
    fn new(admin: &Admin) -> Result<Asker<'_>, AdminError> {
        let mut config = admin.config.clone();
        // A topic must not come into being because somebody asks for it.
        config.set("allow.auto.create.topics", "false");
        let client = config.create_with_context(admin.link.clone());
        let client = client.map_err(|error: KafkaError| admin.cannot_ask(&error))?;
        Ok(Asker { admin, client: Some(client) })
    }

    fn ask(&self, topic: Option<&str>) -> Result<Metadata, AdminError> {
        let client = self.client.as_ref().expect("there until it is dropped");
        let answer = self.admin.link.ask(TIMEOUT, |wait| {
            let answer = client.client().fetch_metadata(topic, wait);
            // The callbacks say why there was none.
            (0..CALLBACKS).for_each(|_| client.poll(Duration::ZERO));
            answer
        });
        answer.map_err(|unanswered: Unanswered| {
            let error = ConnectError::unanswered(&self.admin.bootstrap, unanswered);
            AdminError::Connect(Box::new(error))
        })
    }
}

impl Drop for Asker<'_> {
    /// Ending a client joins its threads, which takes a moment that nobody has to wait for.
    fn drop(&mut self) {
        let client = self.client.take();
        // Without a thread to spare it ends here, with the closure that was not run.
        let _ = std::thread::Builder::new().name("tidings-asker-end".into()).spawn(|| drop(client));
    }
}

fn topics_of(metadata: &Metadata) -> BTreeMap<String, usize> {
    let topics = metadata.topics().iter().filter(|t| !t.name().starts_with("__"));
    topics.map(|t| (t.name().to_owned(), t.partitions().len())).collect()
}
