//! Every bound of the shop, with its unit in the name and its reason.

use std::time::Duration;

/// Statements that may wait for a service's database: as many as a service has handlers running at
/// once, several times over, so that a full queue means a slow disk and holds the handlers back.
pub(crate) const STATEMENTS_WAITING: usize = 1_024;

/// Statements that share one transaction. One sync per 256 rows makes the sync's cost small beside
/// the rows' own; more would only make the first of them wait longer.
pub(crate) const STATEMENTS_PER_TRANSACTION: usize = 256;

/// Connections of a service with a store: SQLite has one writer anyway, and on PostgreSQL five
/// services share a server that by default takes a hundred.
pub(crate) const CONNECTIONS: u32 = 10;

/// How long SQLite waits for another writer before it says that it is busy.
pub(crate) const DATABASE_BUSY: Duration = Duration::from_secs(5);

/// Orders that are placed together at `--rate max`: enough to fill a transaction and a produce
/// request, few enough that a kill leaves little to be announced again.
pub(crate) const ORDERS_PER_BURST: usize = 256;

/// The highest rate that can be asked for by number; above it, `max` is what is meant.
pub(crate) const RATE_LIMIT_PER_SECOND: u32 = 100_000;

/// Handlers of one service that run at once: each waits for its row's transaction, so this many
/// rows can share one sync.
pub(crate) const HANDLERS_AT_ONCE: usize = 256;
