//! Numbers of the store, each with its reason.

use std::time::Duration;

/// Parts of an outbox that can be published side by side, by one relay or several. More relays than
/// this have nothing to do; a service with that many instances has other bottlenecks. Rows carry
/// their slot, so another number needs a migration.
pub const SLOTS: i64 = 16;

/// How long a relay may publish a slot without renewing its lease. It is renewed at a third of
/// this, so two failures in a row are bridged; after a crash the slot's events wait for this long.
pub const LEASE: Duration = Duration::from_secs(15);

/// Connections of a pool that the store opens by itself. Relay and handlers wait for Kafka most of
/// the time; SQLite has one writer anyway.
pub(crate) const CONNECTIONS: u32 = 10;

/// How long SQLite waits for another process's write before it reports `database is locked`.
#[cfg(feature = "sqlite")]
pub(crate) const SQLITE_BUSY: Duration = Duration::from_secs(5);

/// A held row that is due later than this is looked for again before: nobody waits for longer, and
/// a time that somebody has set to nonsense is met like any other.
pub(crate) const NEXT_DUE_MAX: Duration = Duration::from_secs(3600);

/// Rows that are counted for a status; more are told as "at least". Counting takes a scan.
pub(crate) const COUNTED_ROWS: i64 = 10_000;

/// Events whose looks into the inbox are answered by one statement; its text stays below 200 KiB.
pub(crate) const LOOKS_MAX: usize = 512;

/// After a batch that had to be undone so many events get a savepoint each. Savepoints cost about
/// half of the rate; a batch undone costs each of its handlers a second run. With one bad event in
/// a hundred they stay on, with one in a million nearly never.
pub(crate) const SAVEPOINTS_FOR: usize = 1_000;

/// Times that are added to the database's clock; none is later than in a hundred years, which every
/// type of every database can hold.
pub(crate) fn millis(time: Duration) -> i64 {
    const CENTURY_MS: i64 = 100 * 366 * 24 * 3_600_000;
    i64::try_from(time.as_millis()).unwrap_or(CENTURY_MS).min(CENTURY_MS)
}
