//! Where the lanes' results go: events that handlers return, and dead letters. To Kafka in a
//! service, into a list in a test without a broker.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::admin::Admin;
use crate::dead_letter::DeadLetter;
use crate::events::Ready;
use crate::lanes::burial::Burial;
use crate::publisher::{PublishError, Publisher, RawRecord};

/// Takes what the lanes produce.
pub(crate) enum Outlet {
    Kafka(Box<KafkaOutlet>),
    Memory(Arc<MemoryOutlet>),
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
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn stored(&self, ready: &[Ready]) {
        if let Outlet::Memory(memory) = self {
            let mut published = memory.published.lock().unwrap_or_else(PoisonError::into_inner);
            published.extend_from_slice(ready);
        }
    }

    /// The copy of a parked event is in the store's outbox.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn stored_letter(&self, record: &RawRecord, letter: &DeadLetter) {
        // While it is tried again it is not dead.
        if let Outlet::Memory(memory) = self
            && letter.state == Some(crate::dead_letter::LetterState::Parked)
        {
            memory.bury(record.clone(), letter.clone());
        }
    }

    /// Sees to it that there is a topic of dead letters, as far as that can be done now. Returns
    /// whether there is.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) async fn ensure(&self, topic: &str) -> bool {
        match self {
            Outlet::Kafka(kafka) => kafka.ensure(topic).await,
            Outlet::Memory(_) => true,
        }
    }

    /// The name of this instance, for the dead letters.
    pub(crate) fn member(&self) -> &str {
        match self {
            Outlet::Kafka(kafka) => &kafka.member,
            Outlet::Memory(_) => "test",
        }
    }

    /// Writes a dead letter and waits for its acknowledgement.
    pub(crate) async fn bury(&self, burial: &Burial<'_>) -> Result<(), PublishError> {
        match self {
            Outlet::Kafka(kafka) => kafka.bury(burial).await,
            Outlet::Memory(memory) => {
                let letter = burial.letter(self.member());
                memory.bury(burial.copy(&letter), letter);
                Ok(())
            }
        }
    }
}

impl MemoryOutlet {
    fn bury(&self, record: RawRecord, letter: DeadLetter) {
        self.buried.lock().unwrap_or_else(PoisonError::into_inner).push((record, letter));
    }

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
    async fn ensure(&self, topic: &str) -> bool {
        let mut known = self.known.lock().await;
        if known.contains(topic) {
            return true;
        }
        match self.admin.create(topic, self.partitions, &[("retention.ms", "-1")]).await {
            Ok(_) => known.insert(topic.to_owned()),
            Err(error) => {
                tracing::warn!(topic, %error, "cannot create the topic of dead letters");
                false
            }
        }
    }
}
