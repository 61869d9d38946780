//! What a service keeps about events in its own database, SQLite or PostgreSQL, so that its rows
//! and its events commit together or not at all.
//!
//! **What it is.** The tables, and one logic over two dialects: the SQL lies in `sql/`, a file per
//! statement and database, and everything else is written once, over [`Connection`]. Now:
//!
//! - [`outbox`]: events as rows of the user's own transaction, in the order of commits per key;
//! - [`inbox`]: which handler is done with which event, in the transaction in which it handled it;
//! - [`parking`]: events that could not be handled, with those of their keys behind them, and how
//!   they are handled after all;
//! - [`Work`] and [`Tx`]: that transaction, which begins when it is first asked for;
//! - [`batch`]: one transaction for many events;
//! - [`positions`]: how far each group is in each partition, and which store this is;
//! - [`slots`]: which relay may publish which rows, by leases with epochs;
//! - [`backlog`]: what waits, what was acknowledged, and the keys that are held because their first
//!   event cannot be published.
//!
//! **What it is not.** It does not know Kafka, schemas or handlers: it knows bytes, and the crate
//! `tidings` publishes them. It is nobody else's database either: no service reads another's store.
//!
//! The tables are described in docs/formats/store.md, the rules that they follow in
//! docs/outbox.md.

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("a store needs a database: enable the feature `sqlite`, `postgres` or both");

pub mod backlog;
pub mod batch;
mod connection;
mod crash;
mod error;
mod headers;
pub mod inbox;
mod limits;
mod migrations;
pub mod outbox;
pub mod parking;
pub mod positions;
pub mod slots;
mod statements;
mod store;
mod work;

pub use connection::{Connection, Row, Transactional, Value};
pub use error::StoreError;
pub use headers::{Headers, InvalidHeaders};
pub use limits::{LEASE, SLOTS};
pub use migrations::{Migration, migrations};
pub use statements::Dialect;
pub use store::{Session, Store};
pub use work::{Backend, Cause, DefaultDatabase, Gate, Held, Tx, Work};
