//! What Kafka's client calls while it is polled. Rebalances are only written down: librdkafka
//! waits until the application answers with `assign` or `unassign`, so that the consumer's thread
//! can let handlers finish first, without holding up the callbacks of other partitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::inbox::Inbox;
use super::positions::Failed;
use crate::link::Link;

/// What the client told, and the courier of commits.
pub(super) enum Event {
    Assigned(TopicPartitionList),
    Revoked(TopicPartitionList),
    Committed(Result<(), Failed>),
    Statistics(Box<Statistics>),
}

pub(super) struct Callbacks {
    inbox: Arc<Inbox>,
    group: String,
    link: Link,
    closing: AtomicBool,
}

impl Callbacks {
    pub(super) fn new(inbox: Arc<Inbox>, group: String, link: Link) -> Callbacks {
        Callbacks { inbox, group, link, closing: AtomicBool::new(false) }
    }

    /// From now on nobody reads events any more, so rebalances are answered at once.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

impl ClientContext for Callbacks {
    fn error(&self, error: KafkaError, reason: &str) {
        use RDKafkaErrorCode::{GroupAuthorizationFailed, TopicAuthorizationFailed};
        match error.rdkafka_error_code() {
            // They come to the consumer's thread as well, which knows what to do.
            Some(GroupAuthorizationFailed | TopicAuthorizationFailed) => {}
            _ => self.link.error(error, reason),
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.link.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        self.link.heard(&statistics);
        self.inbox.push_event(Event::Statistics(Box::new(statistics)));
    }
}

impl ConsumerContext for Callbacks {
    fn rebalance(
        &self,
        client: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let assigned = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if !self.closing.load(Ordering::Acquire) {
            let list = partitions.clone();
            let event = if assigned { Event::Assigned(list) } else { Event::Revoked(list) };
            self.inbox.push_event(event);
            return;
        }
        let answer = match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative if assigned => client.incremental_assign(partitions),
            RebalanceProtocol::Cooperative => client.incremental_unassign(partitions),
            _ => client.unassign(),
        };
        if let Err(error) = answer {
            tracing::debug!(group = self.group, %error, "while closing");
        }
    }
}
