//! An embedded single-node broker that speaks Kafka's protocol.
//!
//! One process, one data directory, no replication and no consensus. What it advertises it does as
//! Apache Kafka does; what it does not offer (transactions, compaction, access control) it does
//! not advertise. Record batches are opaque bytes: their checksums are verified, their contents
//! never opened on the way through.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use tidings_broker::{Broker, Config};
//!
//! let broker = Broker::start(Config::memory()).await?;
//! println!("{}", broker.bootstrap()); // give this to any Kafka client
//! broker.shutdown().await?;
//! # Ok(()) }
//! ```
//!
//! The broker runs on threads of its own, so a program that blocks its async runtime (or has none)
//! can still talk to the broker that it embeds.

mod api;
mod blocking;
mod broker;
mod broker_settings;
mod check;
mod clock;
mod config;
mod connection;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod groups;
mod ids;
mod limits;
mod listener;
mod memory;
#[cfg(feature = "mutants")]
pub mod mutants;
mod partition;
mod port_holder;
mod reserve;
mod retention;
mod shared;
mod start_error;
mod stats;
mod stop;
mod topics;
mod watchers;
mod wire;

pub use broker::Broker;
pub use check::{CheckReport, CheckedPartition, check};
pub use clock::{Clock, SystemClock};
pub use config::{Config, Durability};
pub use start_error::{ShutdownError, StartError};
pub use stats::Stats;
