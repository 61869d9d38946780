//! Every cap and every wait of a relay, with its reason.

use std::time::Duration;

/// Rows of one round: enough that reading and deleting cost little per row, and a fraction of a
/// second's work for a broker, so that a round ends long before a lease does.
pub(super) const ROUND_MAX_ROWS: usize = 4000;

/// Bytes of one round, all in memory at once.
pub(super) const ROUND_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Held rows that are tried in one round, one after the other.
pub(super) const DUE_MAX_ROWS: usize = 16;

/// After a record failed, how long the answers to the others of its round are waited for. They were
/// sent before; what has no answer by then is published again.
pub(super) const SETTLE: Duration = Duration::from_millis(500);

/// How soon a renewal that failed is tried again.
pub(super) const RENEW_AGAIN: Duration = Duration::from_millis(500);

/// A lease counts as over for us this long before the database's clock says so: a request that is
/// written just before must have arrived by then.
pub(super) const LEASE_MARGIN: Duration = Duration::from_secs(1);

/// How often an idle relay looks at the table when nobody rings: others may write into it, and a
/// transaction may take long after it rang. A look costs an index probe.
pub(super) const IDLE_LOOK: Duration = Duration::from_millis(500);

/// The same for a relay that listens to no outbox in its process.
pub(super) const DEAF_LOOK: Duration = Duration::from_millis(100);

/// After a ring, the time until the next look, doubled each time: the commit comes a moment later.
pub(super) const SOON_FIRST: Duration = Duration::from_millis(1);
/// See [`SOON_FIRST`]; from then on it looks as when idle.
pub(super) const SOON_MAX: Duration = Duration::from_millis(64);

/// How long a relay that is stopped waits for what is under way.
pub(super) const STOP_DRAIN: Duration = Duration::from_secs(10);

/// First and longest wait for a database that is away.
pub(super) const AWAY_FIRST: Duration = Duration::from_millis(100);
/// See [`AWAY_FIRST`].
pub(super) const AWAY_MAX: Duration = Duration::from_secs(5);

/// First and longest wait before a held row is tried again. Somebody has to do something first
/// (create a topic, raise a limit), and wants to see that it helped.
pub(super) const HOLD_FIRST: Duration = Duration::from_secs(1);
/// See [`HOLD_FIRST`].
pub(super) const HOLD_MAX: Duration = Duration::from_secs(60);

/// How long a topic that was there is not asked for again.
pub(super) const TOPIC_KNOWN: Duration = Duration::from_secs(60);
