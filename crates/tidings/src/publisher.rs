//! Publishing: an event is published when the broker has acknowledged it, and not before.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::address::{Offset, PartitionId};
use crate::cloudevents::CloudEvent;
use crate::config::Settings;
use crate::events::{Causation, Draft, Events, IntoDraft, IntoEvents, Ready, Stamp};
use crate::ids::EventId;
use crate::link::Link;
use crate::time::Timestamp;
use crate::trace;

mod catcher;
mod engine;
mod error;
mod limits;
mod native_headers;
mod topics;

pub use error::{ConnectError, PublishError};

pub(crate) use catcher::Catcher;
use engine::{Answer, Engine, Lives};

/// Publishes events, and returns when the broker has them.
///
/// ```no_run
/// # use serde::{Deserialize, Serialize};
/// # use tidings::{Event, Publisher};
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
/// # struct OrderPlaced { order_id: String, total_cents: i64 }
/// # async fn example() -> tidings::Result<()> {
/// let publisher = Publisher::connect("127.0.0.1:9092").await?;
/// let receipt =
///     publisher.publish(OrderPlaced { order_id: "1042".into(), total_cents: 4990 }).await?;
/// println!("{} is {}[{}]@{}", receipt.id, receipt.topic, receipt.partition, receipt.offset);
/// publisher.close().await
/// # }
/// ```
///
/// **Order.** Events of one key go to one partition, in the order in which `publish` or `enqueue`
/// was called and had room; there is no order among keys.
///
/// **Delivery.** Each event is written once, also when the connection breaks in between (idempotent
/// producer, acknowledged by all replicas). An error means that it was not acknowledged; after a
/// timeout it may be there all the same, so publish it again under the same id if that matters.
///
/// **Cancellation.** Dropping the future of `publish` or `enqueue` while it waits for room
/// publishes nothing. Once there is room the event goes out, whoever still waits for its answer.
///
/// **Leaving.** Clones share one connection and one queue. Call [`close`](Publisher::close) at the
/// end: dropping the last clone gives up what is not acknowledged by then.
#[derive(Clone)]
pub struct Publisher {
    way: Way,
    source: Arc<str>,
    causation: Option<Arc<Causation>>,
}

/// Where events go.
#[derive(Clone)]
enum Way {
    Kafka(Arc<Engine>),
    Caught(Arc<Catcher>),
}

/// Where an acknowledged event lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The event's id.
    pub id: EventId,
    /// The event's source.
    pub source: String,
    /// The topic.
    pub topic: String,
    /// The partition that its key chose.
    pub partition: PartitionId,
    /// The offset that the broker gave it.
    pub offset: Offset,
}

/// The answer to come for an event that has been taken. Dropping it changes nothing for the event.
#[derive(Debug)]
#[must_use = "an event counts as published only when its acknowledgement has come"]
pub struct Ack {
    id: EventId,
    answer: oneshot::Receiver<Answer>,
    what: Option<Receipt>,
}

impl Publisher {
    /// Connects to these brokers (`host:port`, separated by commas) with Tidings' defaults; neither
    /// file nor environment is read. Fails if no broker answers within 5 s.
    pub async fn connect(bootstrap: &str) -> crate::Result<Publisher> {
        Publisher::with(&Settings::new(bootstrap)?).await
    }

    /// Connects as these settings say.
    pub async fn with(settings: &Settings) -> crate::Result<Publisher> {
        Publisher::over(settings, Link::new(settings)).await
    }

    /// Connects as these settings say, and tells the link what happens.
    pub(crate) async fn over(settings: &Settings, link: Link) -> crate::Result<Publisher> {
        let engine = Engine::start(settings, link, &[], Lives::Many)?;
        engine.check_connection().await?;
        Ok(Publisher {
            way: Way::Kafka(Arc::new(engine)),
            source: settings.source().map_or_else(program_source, Arc::from),
            causation: None,
        })
    }

    /// For a relay: nothing is written behind a record that failed. There is no time-out, since
    /// nobody waits but the rows; after an error (`enable.gapless.guarantee`) this publisher takes
    /// nothing more, and whoever has looked at what failed makes a new one.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn gapless(settings: &Settings, link: Link) -> crate::Result<Publisher> {
        const GAPLESS: [(&str, &str); 5] = [
            ("acks", "all"),
            // Brokers take any first sequence number from a producer that they do not know: were a
            // second batch under way behind a first one that is refused for the moment, it would be
            // written, and the client would take its acknowledgement for that of the first too.
            ("max.in.flight.requests.per.connection", "1"),
            ("enable.idempotence", "true"),
            ("enable.gapless.guarantee", "true"),
            ("message.timeout.ms", "0"),
        ];
        let engine = Engine::start(settings, link, &GAPLESS, Lives::One)?;
        let source = settings.source().map_or_else(program_source, Arc::from);
        Ok(Publisher { way: Way::Kafka(Arc::new(engine)), source, causation: None })
    }

    /// Publishes into a test's list.
    pub(crate) fn caught(catcher: Arc<Catcher>, source: &str) -> Publisher {
        Publisher { way: Way::Caught(catcher), source: source.into(), causation: None }
    }

    /// The same connection, publishing as another source: a URI reference such as `/team/service`.
    pub fn source(&self, source: impl Into<String>) -> Publisher {
        Publisher { source: source.into().into(), ..self.clone() }
    }

    /// The same connection for one run of a handler: ids are derived from the cause, so that a
    /// re-run publishes the same ones.
    pub fn caused_by(&self, causation: Arc<Causation>) -> Publisher {
        Publisher { causation: Some(causation), ..self.clone() }
    }

    /// Publishes one event and waits for the broker's acknowledgement.
    ///
    /// Waits for room while the queue is full. See [`Publisher`] on cancellation.
    pub async fn publish(&self, event: impl IntoDraft) -> Result<Receipt, PublishError> {
        let draft = event.into_draft();
        self.send(draft).await?.await
    }

    /// Takes one event when there is room; its acknowledgement is a future of its own.
    ///
    /// This is how to have many in flight: collect the [`Ack`]s and await them, or
    /// [`flush`](Publisher::flush).
    pub async fn enqueue(&self, event: impl IntoDraft) -> Result<Ack, PublishError> {
        self.send(event.into_draft()).await
    }

    /// Publishes all of them at once and waits for all acknowledgements. On the first error the
    /// others may or may not have been published.
    pub async fn publish_all(&self, events: impl IntoEvents) -> Result<Vec<Receipt>, PublishError> {
        let mut all = Events::new();
        events.push_into(&mut all);
        // All are stamped before any is sent: one that cannot be written holds back the others.
        let ready: Vec<Ready> = all.into_iter().map(|d| self.stamp(d)).collect::<Result<_, _>>()?;
        let mut acks = Vec::with_capacity(ready.len());
        for event in ready {
            acks.push(self.send_ready(event).await?);
        }
        let mut receipts = Vec::with_capacity(acks.len());
        for ack in acks {
            receipts.push(ack.await?);
        }
        Ok(receipts)
    }

    /// Publishes somebody else's event as it is: id, source, attributes and headers stay.
    pub async fn publish_raw(
        &self,
        event: CloudEvent,
        topic: impl Into<String>,
        key: Option<Bytes>,
    ) -> Result<Receipt, PublishError> {
        self.publish(Draft::unchanged(event, topic, key)).await
    }

    /// Gives an event its id, source, times, causes and trace, without sending it.
    pub fn stamp(&self, draft: Draft) -> Result<Ready, PublishError> {
        let trace = trace::current();
        let stamp = Stamp {
            source: &self.source,
            now: Timestamp::now(),
            causation: self.causation.as_deref(),
            trace: trace.as_ref(),
        };
        Ok(draft.stamp(&stamp)?)
    }

    /// Takes a complete event when there is room.
    pub async fn send_ready(&self, ready: Ready) -> Result<Ack, PublishError> {
        match &self.way {
            Way::Kafka(engine) => engine.send(ready).await,
            Way::Caught(catcher) => Ok(catcher.send(ready)),
        }
    }

    /// Writes a record that need not be an event, byte for byte: dead letters go this way. The
    /// partition is chosen by the key unless given.
    pub async fn write(&self, record: RawRecord) -> Result<(PartitionId, Offset), PublishError> {
        match &self.way {
            Way::Kafka(engine) => engine.write(record).await,
            Way::Caught(catcher) => catcher.write(record),
        }
    }

    /// Takes a record of any content when there is room; its acknowledgement comes by itself.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) async fn begin_write(&self, record: RawRecord) -> Result<RawAck, PublishError> {
        match &self.way {
            Way::Kafka(engine) => Ok(RawAck(engine.begin_write(record).await?)),
            Way::Caught(catcher) => {
                let (sender, answer) = oneshot::channel::<Answer>();
                // The receiver is right here.
                let _ = sender.send(Ok(catcher.write(record)?));
                Ok(RawAck(answer))
            }
        }
    }

    /// Waits until everything taken so far has been answered. Later events wait meanwhile.
    pub async fn flush(&self) {
        if let Way::Kafka(engine) = &self.way {
            engine.flush().await;
        }
    }

    /// Waits until everything taken has been answered, then refuses more, on all clones.
    pub async fn close(self) -> crate::Result<()> {
        if let Way::Kafka(engine) = &self.way {
            engine.close().await;
        }
        Ok(())
    }

    async fn send(&self, draft: Draft) -> Result<Ack, PublishError> {
        let ready = self.stamp(draft)?;
        self.send_ready(ready).await
    }
}

/// A record of any content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawRecord {
    /// The topic.
    pub topic: String,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: crate::cloudevents::Headers,
    /// A partition other than the key's.
    pub partition: Option<PartitionId>,
}

/// The answer to come for a record of any content.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) struct RawAck(oneshot::Receiver<Answer>);

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl RawAck {
    /// Waits for it.
    pub(crate) async fn answer(&mut self) -> Result<(), PublishError> {
        match (&mut self.0).await {
            Ok(answer) => answer.map(drop).map_err(|error| *error),
            Err(_) => Err(PublishError::Closed),
        }
    }
}

impl Ack {
    /// The id that the event got.
    pub fn id(&self) -> &EventId {
        &self.id
    }
}

impl Future for Ack {
    type Output = Result<Receipt, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(cx));
        Poll::Ready(match answer {
            Ok(Ok((partition, offset))) => {
                let receipt = self.what.take().expect("an answer comes once");
                Ok(Receipt { partition, offset, ..receipt })
            }
            Ok(Err(error)) => Err(*error),
            Err(_) => Err(PublishError::Closed),
        })
    }
}

/// The source of a program that names none: its file's name.
fn program_source() -> Arc<str> {
    let path = std::env::current_exe().ok();
    let name = path.as_ref().and_then(|p| p.file_stem()).and_then(|n| n.to_str());
    format!("/{}", name.unwrap_or("tidings")).into()
}

#[cfg(test)]
mod tests;
