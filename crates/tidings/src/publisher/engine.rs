//! The producer under the publisher: a bounded queue in front of librdkafka, and one answer per
//! record behind it.
//!
//! A semaphore that counts bytes is the queue: whoever has no permit waits without a busy loop, and
//! the delivery report gives the permit back. librdkafka's own limits lie above it, so its "queue
//! full" cannot happen. One thread of rdkafka's polls for delivery reports; the answers go to their
//! tasks through one-shot channels. rdkafka's `FutureProducer` does the same at the same speed, but
//! polls when the queue is full.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::limits::{CONNECT_TIMEOUT, FRAMING_BYTES, OVERHEAD_BYTES, QUEUE_BYTES};
use super::native_headers::NativeHeaders;
use super::topics::Topics;
use super::{Ack, ConnectError, PublishError, RawRecord, Receipt};
use crate::address::{Offset, PartitionId};
use crate::config::Settings;
use crate::events::Ready;
use crate::link::{Act, Link};

type Client = Arc<ThreadedProducer<Context>>;

/// What became of one record. The error is boxed: a receipt is small and common.
pub(super) type Answer = Result<(PartitionId, Offset), Box<PublishError>>;

pub(super) struct Engine {
    config: ClientConfig,
    facts: Arc<Facts>,
    /// There until the engine is dropped.
    producer: RwLock<Option<Client>>,
    room: Arc<Semaphore>,
    topics: Topics,
    lives: Lives,
}

/// What follows a fatal error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lives {
    /// A new client takes what comes next: each publish has its own answer.
    Many,
    /// Nothing more is taken: what comes next may belong behind what failed.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    One,
}

/// What error sentences need.
struct Facts {
    bootstrap: String,
    link: Link,
    message_max_bytes: usize,
    message_timeout_ms: u64,
}

struct Context {
    facts: Arc<Facts>,
    /// After a fatal error (KIP-360 tells which) an idempotent producer takes nothing more.
    fatal: OnceLock<String>,
    /// What was given up before the fatal error itself was told, which comes next: by the error
    /// callback, by a line of the client's log, or by the answer to the next event.
    given_up: Mutex<Vec<(Box<Pending>, String)>>,
    /// Nobody publishes any more: what is given up now is given up because of that.
    closing: AtomicBool,
}

/// The reason that is given while the client's own is on its way to the log.
const FATAL: &str = "the client met a fatal error and gave up what was queued";

/// What comes back with a delivery report.
struct Pending {
    answer: oneshot::Sender<Answer>,
    size_bytes: usize,
    _room: OwnedSemaphorePermit,
}

impl Engine {
    /// `more` stands above the settings.
    pub(super) fn start(
        settings: &Settings,
        link: Link,
        more: &[(&str, &str)],
        lives: Lives,
    ) -> Result<Engine, ConnectError> {
        let mut config = settings.producer();
        for (name, value) in more {
            config.set(*name, *value);
        }
        Link::tell_all(&mut config);
        let number = |name: &str| settings.client_property(name).and_then(|v| v.parse().ok());
        let facts = Arc::new(Facts {
            bootstrap: settings.bootstrap().to_owned(),
            link,
            message_max_bytes: number("message.max.bytes").unwrap_or(1_048_588) as usize,
            message_timeout_ms: number("message.timeout.ms").unwrap_or(60_000),
        });
        Ok(Engine {
            producer: RwLock::new(Some(create(&config, &facts)?)),
            config,
            facts,
            room: Arc::new(Semaphore::new(QUEUE_BYTES as usize)),
            topics: Topics::new(settings),
            lives,
        })
    }

    /// Asks any broker for its metadata.
    pub(super) async fn check_connection(&self) -> Result<(), ConnectError> {
        let (producer, link) = (self.producer(), self.facts.link.clone());
        let asked = tokio::task::spawn_blocking(move || {
            link.ask(CONNECT_TIMEOUT, |wait| producer.client().fetch_metadata(None, wait).map(drop))
        });
        let bootstrap = &self.facts.bootstrap;
        match asked.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(unanswered)) => Err(ConnectError::unanswered(bootstrap, unanswered)),
            Err(stopped) => {
                let reason = stopped.to_string();
                Err(ConnectError::Unreachable { bootstrap: bootstrap.clone(), reason })
            }
        }
    }

    pub(super) async fn send(&self, ready: Ready) -> Result<Ack, PublishError> {
        let Ready { topic, key, event } = ready;
        let headers = NativeHeaders::of_event(&event);
        let answer = self.enqueue(&topic, None, key.as_ref(), event.data.as_ref(), headers).await?;
        let what = Receipt {
            id: event.id.clone(),
            source: event.source,
            topic: topic.into_owned(),
            partition: PartitionId::default(),
            offset: Offset::default(),
        };
        Ok(Ack { id: event.id, answer, what: Some(what) })
    }

    pub(super) async fn write(
        &self,
        record: RawRecord,
    ) -> Result<(PartitionId, Offset), PublishError> {
        match self.begin_write(record).await?.await {
            Ok(answer) => answer.map_err(|error| *error),
            Err(_) => Err(PublishError::Closed),
        }
    }

    pub(super) async fn begin_write(
        &self,
        record: RawRecord,
    ) -> Result<oneshot::Receiver<Answer>, PublishError> {
        let RawRecord { topic, key, value, headers, partition } = record;
        let headers = NativeHeaders::of(&headers);
        self.enqueue(&topic, partition, key.as_ref(), value.as_ref(), headers).await
    }

    /// All permits at once are there only when nothing is in flight. The semaphore is fair, so what
    /// comes later cannot keep this waiting.
    pub(super) async fn flush(&self) {
        let all = self.room.acquire_many(QUEUE_BYTES).await;
        drop(all);
    }

    pub(super) async fn close(&self) {
        self.flush().await;
        self.room.close();
    }

    async fn enqueue(
        &self,
        topic: &str,
        partition: Option<PartitionId>,
        key: Option<&Bytes>,
        value: Option<&Bytes>,
        headers: NativeHeaders,
    ) -> Result<oneshot::Receiver<Answer>, PublishError> {
        let size_bytes = headers.record_bytes(key, value);
        self.check_size(topic, size_bytes)?;
        if !self.topics.is_ready(topic) {
            self.topics.ensure(topic).await?;
        }
        let cost = u32::try_from(size_bytes + OVERHEAD_BYTES).unwrap_or(u32::MAX).min(QUEUE_BYTES);
        let room = Arc::clone(&self.room).acquire_many_owned(cost).await;
        let room = room.map_err(|_| PublishError::Closed)?;

        let (sender, answer) = oneshot::channel();
        let pending = Box::new(Pending { answer: sender, size_bytes, _room: room });
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, pending)
            .headers(headers.into_owned());
        record.partition = partition.map(|p| p.0);
        record.key = key.map(|k| k.as_ref());
        record.payload = value.map(|v| v.as_ref());
        let producer = self.living()?;
        match producer.send(record) {
            Ok(()) => Ok(answer),
            Err((error, record)) => {
                if let Some((_, reason)) = producer.client().fatal_error() {
                    producer.context().is_fatal(&reason);
                }
                let size_bytes = record.delivery_opaque.size_bytes;
                Err(producer.context().explain(&error, topic, size_bytes))
            }
        }
    }

    fn check_size(&self, topic: &str, size_bytes: usize) -> Result<(), PublishError> {
        let limit_bytes = self.facts.message_max_bytes;
        if size_bytes + FRAMING_BYTES <= limit_bytes {
            return Ok(());
        }
        Err(PublishError::TooLarge {
            topic: topic.to_owned(),
            size_bytes,
            limit_bytes,
            setting: "message.max.bytes",
        })
    }

    fn producer(&self) -> Client {
        let place = self.producer.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(place.as_ref().expect("there until the engine is dropped"))
    }

    /// The producer, or a new one if the old one has met a fatal error. Its records have got their
    /// answers then, so nothing is sent twice.
    fn living(&self) -> Result<Client, PublishError> {
        let producer = self.producer();
        let Some(fatal) = producer.context().fatal.get() else { return Ok(producer) };
        let refused = |reason: String| PublishError::Refused {
            topic: String::new(),
            bootstrap: self.facts.bootstrap.clone(),
            reason,
            retryable: true,
        };
        if self.lives != Lives::Many {
            return Err(refused(fatal.clone()));
        }
        let mut place = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = place.as_ref().filter(|p| p.context().fatal.get().is_none()) {
            return Ok(Arc::clone(other));
        }
        let new = create(&self.config, &self.facts).map_err(|e| refused(e.to_string()))?;
        Ok(Arc::clone(place.insert(new)))
    }
}

impl Drop for Engine {
    /// Ending the client joins its threads, which takes up to a second: not on a thread that runs
    /// other tasks.
    fn drop(&mut self) {
        let producer = self.producer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(producer) = &producer {
            producer.context().closing.store(true, Ordering::Relaxed);
        }
        // Without a thread to spare it ends here, with the closure that was not run.
        let ending = std::thread::Builder::new().name("tidings-producer-end".into());
        let _ = ending.spawn(move || drop(producer));
    }
}

fn create(config: &ClientConfig, facts: &Arc<Facts>) -> Result<Client, ConnectError> {
    let context = Context {
        facts: Arc::clone(facts),
        fatal: OnceLock::new(),
        given_up: Mutex::default(),
        closing: AtomicBool::new(false),
    };
    let producer = config.create_with_context(context).map_err(|e| ConnectError::Client {
        bootstrap: facts.bootstrap.clone(),
        reason: reason(&e),
    })?;
    Ok(Arc::new(producer))
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.is_fatal(reason);
        }
        if is_not_allowed(reason) {
            self.is_fatal(reason);
            let said = self.facts.link.not_allowed(Act::WriteAny);
            self.facts.link.say("may not write", format_args!("{said}"));
            return;
        }
        self.facts.link.error(error, reason);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        // It warns of a setting that a relay has on purpose.
        if facility == "CONFWARN" && line.contains("enable.gapless.guarantee") {
            return;
        }
        // It is told here, by an error of its own or by both.
        if facility == "FATAL" {
            self.is_fatal(line);
        }
        self.facts.link.log(level, facility, line);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Box<Pending>) {
        if let Err((error, message)) = result
            && self.is_given_up(error)
        {
            // Looked at under the lock: told in between by another thread, the error would have
            // answered all that wait before this one began to.
            let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
            if self.fatal.get().is_none() {
                return given_up.push((pending, message.topic().to_owned()));
            }
        }
        let answer = match result {
            Ok(message) => {
                self.facts.link.up();
                Ok((PartitionId(message.partition()), Offset(message.offset())))
            }
            Err((error, message)) => {
                Err(Box::new(self.explain(error, message.topic(), pending.size_bytes)))
            }
        };
        // Nobody waits any more: the event is published all the same.
        let _ = pending.answer.send(answer);
    }
}

impl Context {
    /// Keeps the first one, which is the cause, and answers those who were given up before it.
    fn is_fatal(&self, reason: &str) {
        let _ = self.fatal.set(reason.to_owned());
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        for (pending, topic) in given_up.drain(..) {
            let fatal = KafkaError::MessageProduction(RDKafkaErrorCode::Fatal);
            let error = self.explain(&fatal, &topic, pending.size_bytes);
            // Nobody waits any more: it is known that it was not published.
            let _ = pending.answer.send(Err(Box::new(error)));
        }
    }

    /// Thrown away because of a fatal error, and not because nobody publishes any more.
    fn is_given_up(&self, error: &KafkaError) -> bool {
        use RDKafkaErrorCode::{Fatal, PurgeInflight, PurgeQueue};
        let code = error.rdkafka_error_code();
        matches!(code, Some(PurgeQueue | PurgeInflight | Fatal))
            && !self.closing.load(Ordering::Relaxed)
    }

    fn explain(&self, error: &KafkaError, topic: &str, size_bytes: usize) -> PublishError {
        use RDKafkaErrorCode::{Fatal, PurgeInflight, PurgeQueue};
        match error.rdkafka_error_code() {
            Some(PurgeQueue | PurgeInflight) if self.closing.load(Ordering::Relaxed) => {
                PublishError::Closed
            }
            // A fatal error throws away what is queued, sometimes before it is reported itself.
            // The next event gets a new producer.
            Some(PurgeQueue | PurgeInflight | Fatal) => {
                let reason = self.fatal.get_or_init(|| FATAL.to_owned()).clone();
                if is_not_allowed(&reason) {
                    return self.facts.not_allowed(topic);
                }
                let (topic, bootstrap) = (topic.to_owned(), self.facts.bootstrap.clone());
                PublishError::Refused { topic, bootstrap, reason, retryable: true }
            }
            _ => self.facts.explain(error, topic, size_bytes),
        }
    }
}

impl Facts {
    fn not_allowed(&self, topic: &str) -> PublishError {
        let act = self.link.not_allowed(Act::Write(topic));
        PublishError::NotAllowed { topic: topic.to_owned(), act: Box::new(act) }
    }

    fn explain(&self, error: &KafkaError, topic: &str, size_bytes: usize) -> PublishError {
        use RDKafkaErrorCode as Code;
        let (topic, bootstrap) = (topic.to_owned(), self.bootstrap.clone());
        let Some(code) = error.rdkafka_error_code() else {
            let reason = error.to_string();
            return PublishError::Refused { topic, bootstrap, reason, retryable: false };
        };
        match code {
            Code::MessageSizeTooLarge | Code::InvalidMessageSize => {
                PublishError::RefusedSize { topic, size_bytes, bootstrap }
            }
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
                PublishError::UnknownTopic { topic, bootstrap }
            }
            Code::MessageTimedOut | Code::RequestTimedOut | Code::AllBrokersDown => {
                let waited_ms = self.message_timeout_ms;
                PublishError::Unacknowledged { topic, bootstrap, waited_ms }
            }
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                self.not_allowed(&topic)
            }
            code => {
                let retryable = !matches!(
                    code,
                    Code::InvalidTopic
                        | Code::InvalidRecord
                        | Code::PolicyViolation
                        | Code::InvalidRequiredAcks
                );
                PublishError::Refused { topic, bootstrap, reason: code.to_string(), retryable }
            }
        }
    }
}

/// A producer asks for its number first, which only those get that may write to some topic.
fn is_not_allowed(reason: &str) -> bool {
    reason.contains("authorization failed")
}

fn reason(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}
