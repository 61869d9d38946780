//! Event-driven services on Apache Kafka: publish, subscribe, nothing lost, order kept per key. The
//! crate's documentation is the project's first page.
#![doc = include_str!("../../../README.md")]

// So that the derive macros, which write `::tidings`, work in this crate's own tests.
#[allow(unused_extern_crates, reason = "it is used by what the macros write")]
extern crate self as tidings;

pub mod acts;
mod address;
pub mod admin;
pub mod cloudevents;
pub mod config;
mod consumer;
pub mod dead_letter;
mod error;
mod event;
mod events;
mod fail;
mod handler;
mod http;
mod ids;
mod lanes;
pub mod link;
mod metrics;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod outbox;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod parking;
pub mod prelude;
pub mod progress;
mod publisher;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod relay;
mod service;
mod stored;
pub mod telemetry;
pub mod test;
mod time;
pub mod trace;

pub use address::{InvalidAddress, Offset, PartitionId, RecordAddress};
pub use consumer::ConsumerError;
pub use error::{Error, Result};
pub use event::{DecodeError, EncodeError, Event};
pub use events::{Causation, Draft, DraftError, Events, IntoDraft, IntoEvents, Ready, Stamp};
pub use fail::{BoxError, Fail, FailKind, OrFail};
pub use handler::{Context, FromEvent, Handler, HandlerArgs, IntoOutcome, Meta, Needs, State};
pub use http::HttpError;
pub use ids::{Derivation, EventId};
pub use lanes::retry::Retries;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use outbox::{Outbox, OutboxError, Store, StoreError, Tx};
pub use publisher::{Ack, ConnectError, PublishError, Publisher, RawRecord, Receipt};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use relay::Relay;
pub use service::{CheckError, Service, ServiceError, Snapshot, Stats};
pub use tidings_macros::{Event, Events};
pub use time::{InvalidTimestamp, Timestamp};

#[doc(hidden)]
pub use event::private as __private;
