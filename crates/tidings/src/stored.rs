//! Handling with a store: an event's rows, the events that it causes and the mark that it was
//! handled commit together. Looked up before an attempt, written when the attempt went well.
//!
//! Without the features `sqlite` and `postgres` there is no store, and the types say so: they have
//! no values.

use std::sync::Arc;

use crate::address::RecordAddress;
use crate::cloudevents::CloudEvent;
use crate::config::Settings;
use crate::events::Ready;
use crate::link::Link;
use crate::metrics::Registry;
use crate::service::Stats;

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
mod off;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod on;

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
pub(crate) use off::{Held, Relaying, Stored, Unit};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use on::{Held, Relaying, Stored, Unit};

/// One event for one handler: what the inbox knows it by.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "only a store reads it")
)]
pub(crate) struct Mark {
    /// `service/handler`.
    pub(crate) consumer: String,
    pub(crate) event: Arc<CloudEvent>,
    pub(crate) address: RecordAddress,
}

/// How an attempt that went well ended in the store.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "only a store knows it")
)]
pub(crate) enum Settled {
    /// All of it is there, with these events in the outbox.
    Done(Vec<Ready>),
    /// Somebody else has handled the event; nothing of this attempt is there.
    Elsewhere,
}

/// What a relay shares with the service that it runs in.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "only a store reads it")
)]
pub(crate) struct Beside {
    pub(crate) service: String,
    pub(crate) settings: Settings,
    pub(crate) link: Link,
    pub(crate) registry: Registry,
    pub(crate) stats: Stats,
}
