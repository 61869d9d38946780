//! What a handler may ask for behind its event.

use std::future::Future;

use bytes::Bytes;

use super::{Context, Needs};
use crate::address::RecordAddress;
use crate::cloudevents::{CloudEvent, Headers, Record};
use crate::fail::Fail;
use crate::ids::EventId;
use crate::lanes::delivery::Delivery;
use crate::publisher::Publisher;
use crate::time::Timestamp;

/// What can stand behind the event among a handler's arguments.
///
/// Implement it for what your handlers need of each event: a tenant from an extension, a
/// permission. A failure counts as the handler's own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made for a handler",
    label = "this argument is at fault: `{Self}` is no `FromEvent`",
    note = "the event comes first; behind it come `Meta`, `State<T>` for what `.state(..)` gave, \
            `Tx`, `Publisher`, `CloudEvent`, `Record`, or your own `FromEvent`"
)]
pub trait FromEvent: Sized + Send + 'static {
    /// Whether it wants the event for itself: a handler may have one such argument.
    ///
    /// ```compile_fail,E0080
    /// use serde::{Deserialize, Serialize};
    /// use tidings::prelude::*;
    /// use tidings::{Context, FromEvent};
    ///
    /// #[derive(Event, Serialize, Deserialize)]
    /// #[event(type = "com.example.order.placed", version = 1, topic = "orders", no_key)]
    /// struct OrderPlaced;
    ///
    /// struct Lock;
    ///
    /// impl FromEvent for Lock {
    ///     const EXCLUSIVE: bool = true;
    ///
    ///     async fn from_event(_: &mut Context) -> Result<Lock, Fail> {
    ///         Ok(Lock)
    ///     }
    /// }
    ///
    /// async fn handle(_: OrderPlaced, _: Lock, _: Lock) -> Result<(), Fail> {
    ///     Ok(())
    /// }
    ///
    /// fn main() {
    ///     let _ = Service::new("shop").on("handle", handle);
    /// }
    /// ```
    const EXCLUSIVE: bool = false;

    /// Tells the service at its start what this will ask for.
    fn needs(_needs: &mut Needs) {}

    /// Makes it for one attempt.
    fn from_event(cx: &mut Context) -> impl Future<Output = Result<Self, Fail>> + Send;
}

/// What is known about an event besides its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// Unique together with `source`; the key to hand to what must not happen twice outside.
    pub id: EventId,
    /// Who published it.
    pub source: String,
    /// Its type on the wire.
    pub ty: String,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// What all events of one business process share.
    pub correlation_id: String,
    /// The id of the event that caused it; none for a root.
    pub causation_id: Option<String>,
    /// The record's key.
    pub key: Option<Bytes>,
    /// Where it lies.
    pub address: RecordAddress,
    /// Headers that are no attributes.
    pub headers: Headers,
    /// The handler's name.
    pub handler: &'static str,
    /// Which attempt this is, the first being 1.
    pub attempt: u32,
}

impl Meta {
    pub(super) fn new(
        event: &CloudEvent,
        delivery: &Delivery,
        handler: &'static str,
        attempt: u32,
    ) -> Meta {
        Meta {
            id: event.id.clone(),
            source: event.source.clone(),
            ty: event.ty.clone(),
            subject: event.subject.clone(),
            time: event.timestamp(),
            correlation_id: event.correlation_id().to_owned(),
            causation_id: event.causation_id().map(str::to_owned),
            key: delivery.key().map(Bytes::copy_from_slice),
            address: delivery.address(),
            headers: event.headers.clone(),
            handler,
            attempt,
        }
    }

    /// The key as text, if there is one and it is UTF-8.
    pub fn key_text(&self) -> Option<&str> {
        self.key.as_deref().and_then(|key| std::str::from_utf8(key).ok())
    }
}

impl FromEvent for Meta {
    async fn from_event(cx: &mut Context) -> Result<Meta, Fail> {
        cx.meta()
    }
}

/// A value that the service was given by `.state(..)`: cloned for each attempt, so let it be cheap
/// to clone (an `Arc`, a pool).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<T>(
    /// The value.
    pub T,
);

impl<T: Clone + Send + Sync + 'static> FromEvent for State<T> {
    fn needs(needs: &mut Needs) {
        needs.state::<T>();
    }

    async fn from_event(cx: &mut Context) -> Result<State<T>, Fail> {
        cx.state().map(State)
    }
}

/// Publishes with the event as cause and with ids that a re-run derives again. It awaits the
/// broker itself, so what it has published stays published if the handler fails afterwards.
impl FromEvent for Publisher {
    fn needs(needs: &mut Needs) {
        needs.publisher();
    }

    async fn from_event(cx: &mut Context) -> Result<Publisher, Fail> {
        cx.publisher()
    }
}

/// The event with all attributes, headers and its data as bytes.
impl FromEvent for CloudEvent {
    async fn from_event(cx: &mut Context) -> Result<CloudEvent, Fail> {
        cx.cloud_event().map(|event| CloudEvent::clone(&event))
    }
}

/// The record as it lies in Kafka.
impl FromEvent for Record {
    async fn from_event(cx: &mut Context) -> Result<Record, Fail> {
        Ok(cx.record())
    }
}
