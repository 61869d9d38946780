//! Handling with a store: an event's rows, the events that it causes and the mark that it was
//! handled commit together. Looked up before an attempt, written when the attempt went well. What
//! cannot be handled now is parked in the store, and the later events of its key behind it.
//!
//! Without the features `sqlite` and `postgres` there is no store, and the types say so: they have
//! no values.

use crate::config::Settings;
use crate::link::Link;
use crate::metrics::Registry;
use crate::service::Stats;

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
mod off;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod on;

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
pub(crate) use off::{Companion, Gate, Held, Stored, Unit};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use on::{Companion, Gate, Held, Stored, Unit};

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
