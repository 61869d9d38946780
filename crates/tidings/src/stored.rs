//! Handling with a store: an event's rows, the events that it causes and the mark that it was
//! handled commit together. Looked up before an attempt, written when the attempt went well. What
//! cannot be handled now is parked in the store, and the later events of its key behind it.
//!
//! Without the features `sqlite` and `postgres` there is no store, and the types say so: they have
//! no values.

use std::sync::Arc;

use crate::admin::Admin;
use crate::config::Settings;
use crate::lanes::Group;
use crate::link::Link;
use crate::metrics::Registry;
use crate::service::Stats;

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
mod off;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod on;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod positions;

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
pub(crate) use off::{Companion, Door, Held, Stored, Unit};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use on::{Companion, Door, Held, Stored, Unit};

/// How far a group is in one partition, by the account of the store.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// The lowest offset that is not finished.
    pub(crate) next: i64,
    /// The id of the cluster, if it is known.
    pub(crate) cluster: Option<String>,
    /// How often it was moved on purpose.
    pub(crate) epoch: i64,
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

/// What carrying out acts of people shares with the service.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "only a store reads it")
)]
pub(crate) struct Acting {
    pub(crate) groups: Vec<Arc<Group>>,
    pub(crate) settings: Settings,
    pub(crate) link: Link,
    pub(crate) admin: Admin,
}
