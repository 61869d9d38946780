//! Where the lanes' results go: events that handlers return, and dead letters. To Kafka in a
//! service, into a list in a test without a broker.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::admin::Admin;
use crate::cloudevents::{Headers, Record};
use crate::dead_letter::{self, DeadLetter};
use crate::events::Ready;
use crate::fail::{Fail, FailKind};
use crate::handler::UNDECODABLE;
use crate::lanes::route::{NOT_AN_EVENT, UNKNOWN_VERSION};
use crate::publisher::{PublishError, Publisher, RawRecord};
use crate::service::limits::FAILURE_TEXT_MAX_BYTES;
use crate::time::Timestamp;

/// Takes what the lanes produce.
pub(crate) enum Outlet {
    Kafka(Box<KafkaOutlet>),
    Memory(Arc<MemoryOutlet>),
}

/// A record that its handler, or nobody, could handle.
pub(crate) struct Burial<'a> {
    pub(crate) record: Record,
    pub(crate) group: &'a str,
    pub(crate) handler: Option<&'static str>,
    pub(crate) fail: &'a Fail,
    pub(crate) attempts: u32,
    pub(crate) first_failed_at: Timestamp,
    pub(crate) last_failed_at: Timestamp,
}

/// The broker.
pub(crate) struct KafkaOutlet {
    publisher: Publisher,
    admin: Admin,
    partitions: i32,
    /// The name of this instance, for the dead letters.
    member: String,
    /// Topics of dead letters that were created or found.
    known: tokio::sync::Mutex<HashSet<String>>,
}

/// What a test looks at.
#[derive(Default)]
pub(crate) struct MemoryOutlet {
    published: Mutex<Vec<Ready>>,
    buried: Mutex<Vec<(RawRecord, DeadLetter)>>,
}

impl Outlet {
    /// Publishes in order, and waits for the acknowledgements. Returns how many of the first ones
    /// are acknowledged, and why the next one is not.
    ///
    /// Those behind the first that failed may be on the broker all the same. They are published
    /// again with it, under the same ids: so the first copies keep their order.
    pub(crate) async fn publish(&self, ready: &[Ready]) -> (usize, Result<(), PublishError>) {
        match self {
            Outlet::Kafka(kafka) => kafka.publish(ready).await,
            Outlet::Memory(memory) => {
                let mut published = memory.published.lock().unwrap_or_else(PoisonError::into_inner);
                published.extend_from_slice(ready);
                (ready.len(), Ok(()))
            }
        }
    }

    /// Events are in the store's outbox: a relay's business, and what a test looks at.
    pub(crate) fn stored(&self, ready: &[Ready]) {
        if let Outlet::Memory(memory) = self {
            let mut published = memory.published.lock().unwrap_or_else(PoisonError::into_inner);
            published.extend_from_slice(ready);
        }
    }

    /// Writes a dead letter and waits for its acknowledgement.
    pub(crate) async fn bury(&self, burial: &Burial<'_>) -> Result<(), PublishError> {
        match self {
            Outlet::Kafka(kafka) => kafka.bury(burial).await,
            Outlet::Memory(memory) => {
                let letter = burial.letter("test");
                let record = burial.copy(&letter);
                let mut buried = memory.buried.lock().unwrap_or_else(PoisonError::into_inner);
                buried.push((record, letter));
                Ok(())
            }
        }
    }
}

impl MemoryOutlet {
    pub(crate) fn take_published(&self) -> Vec<Ready> {
        std::mem::take(&mut *self.published.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn take_buried(&self) -> Vec<(RawRecord, DeadLetter)> {
        std::mem::take(&mut *self.buried.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KafkaOutlet {
    pub(crate) fn new(
        publisher: Publisher,
        admin: Admin,
        partitions: i32,
        member: String,
    ) -> KafkaOutlet {
        KafkaOutlet { publisher, admin, partitions, member, known: Default::default() }
    }

    async fn publish(&self, ready: &[Ready]) -> (usize, Result<(), PublishError>) {
        let mut acks = Vec::with_capacity(ready.len());
        let mut outcome = Ok(());
        for event in ready {
            match self.publisher.send_ready(event.clone()).await {
                Ok(ack) => acks.push(ack),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let taken = acks.len();
        for (acknowledged, ack) in acks.into_iter().enumerate() {
            if let Err(error) = ack.await {
                return (acknowledged, Err(error));
            }
        }
        (taken, outcome)
    }

    async fn bury(&self, burial: &Burial<'_>) -> Result<(), PublishError> {
        let letter = burial.letter(&self.member);
        let mut record = burial.copy(&letter);
        self.ensure(&record.topic).await;
        let written = self.publisher.write(record.clone()).await;
        let too_large = |error: &PublishError| {
            matches!(error, PublishError::TooLarge { .. } | PublishError::RefusedSize { .. })
        };
        if !written.as_ref().is_err_and(too_large) {
            return written.map(drop);
        }
        // The broker that took the original may take more than this client sends. Parking never
        // fails because of its copy: it then carries our headers, thus the address, and no more.
        record.value = None;
        record.headers = letter.to_headers();
        tracing::warn!(topic = record.topic, "the dead letter is too large: without its value");
        self.publisher.write(record).await.map(drop)
    }

    /// Creates the topic of dead letters if it is missing; what lies there stays for ever. Where
    /// creating is not allowed the write itself tells what is wrong.
    async fn ensure(&self, topic: &str) {
        let mut known = self.known.lock().await;
        if known.contains(topic) {
            return;
        }
        match self.admin.create(topic, self.partitions, &[("retention.ms", "-1")]).await {
            Ok(_) => {
                known.insert(topic.to_owned());
            }
            Err(error) => tracing::warn!(topic, %error, "cannot create the topic of dead letters"),
        }
    }
}

impl Burial<'_> {
    fn letter(&self, member: &str) -> DeadLetter {
        let undecoded = matches!(self.fail.class(), UNDECODABLE | NOT_AN_EVENT | UNKNOWN_VERSION);
        DeadLetter {
            topic: self.record.topic.clone(),
            partition: Some(self.record.partition),
            offset: Some(self.record.offset),
            group: Some(self.group.to_owned()),
            handler: self.handler.map(str::to_owned),
            member: Some(member.to_owned()),
            stage: Some(if undecoded { "decode" } else { "handle" }.to_owned()),
            error_class: Some(self.fail.class().to_owned()),
            message: Some(cut(self.fail.message())),
            stacktrace: Some(format!("at {}", self.fail.place())),
            attempts: Some(self.attempts),
            first_failed_at: Some(self.first_failed_at.to_string()),
            last_failed_at: Some(self.last_failed_at.to_string()),
            fingerprint: Some(self.fingerprint()),
            retryable: Some(self.fail.kind() != FailKind::Reject),
            state: None,
        }
    }

    /// The record byte for byte, with what is known about its failure behind its own headers.
    fn copy(&self, letter: &DeadLetter) -> RawRecord {
        let mut headers: Headers = self.record.headers.clone();
        headers.extend(letter.to_headers());
        RawRecord {
            topic: dead_letter::topic(&self.record.topic, self.group),
            key: self.record.key.clone(),
            value: self.record.value.clone(),
            headers,
            partition: None,
        }
    }

    /// The same for failures that the same line of code states with the same type of error.
    fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.handler.unwrap_or_default(), self.fail.class(), &self.fail.place()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// An error's text may hold whatever the handler's world said: it must not make the copy too
/// large to be written.
fn cut(mut text: String) -> String {
    if text.len() > FAILURE_TEXT_MAX_BYTES {
        let end = text.floor_char_boundary(FAILURE_TEXT_MAX_BYTES);
        text.truncate(end);
        text.push('…');
    }
    text
}
