//! Every cap and every wait of a running service, with its unit in the name and its reason.

use std::time::Duration;

/// What Kafka stores beside an offset at most (`offset.metadata.max.bytes`, its default).
pub(crate) const COMMIT_METADATA_MAX_CHARS: usize = 4096;

/// What we write at most. A quarter stays free: a broker may be set lower than its default, and a
/// commit that is refused for its length would hold the offset for ever.
pub(crate) const PROGRESS_MAX_CHARS: usize = 3072;

/// What the names of one group's handlers may take of it, so that 2,000 bytes stay for offsets.
pub(crate) const HANDLER_NAMES_MAX_BYTES: usize = 256;

/// Records that one consumer takes before it has finished earlier ones. Enough to keep two cores
/// busy at a million records per second through the hand-over between threads (some 10 ms of
/// work), and little enough that 1 KiB records stay below `IN_WORK_MAX_BYTES`.
pub(crate) const IN_WORK_MAX_RECORDS: usize = 8192;

/// Bytes of the records in work at most, counted with their keys and headers. One record larger
/// than this is still taken when nothing else is in work.
pub(crate) const IN_WORK_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Records that one partition gives in one turn, before the next one has its.
pub(crate) const TURN_MAX_RECORDS: usize = 256;

/// Bytes that one partition gives in one turn.
pub(crate) const TURN_MAX_BYTES: usize = 64 * 1024;

/// Bytes that are copied out of the client before they are handed to the shards: some 400 records
/// of 600 bytes, so that waking a shard costs little per record, and half a millisecond for which
/// the first one waits. The records of one shard share a buffer, which lives as long as the
/// slowest of them; so a lane that hangs holds this much and one turn, and not more.
pub(crate) const ROUND_MAX_BYTES: usize = 256 * 1024;

/// Lanes that run at the same time unless `.concurrency(n)` says otherwise. Handlers mostly wait
/// for a database or another service; with 1 ms each this is 64,000 events per second.
pub(crate) const CONCURRENCY_DEFAULT: usize = 64;

/// An attempt of a handler may take this long; then it counts as a *retry*.
pub(crate) const HANDLER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// Attempts per event, the first included.
pub(crate) const ATTEMPTS_DEFAULT: u32 = 5;

/// The delays of one event sum to at most this: its lane waits in memory, and with it the commit.
pub(crate) const RETRY_DELAYS_MAX: Duration = Duration::from_secs(30);

/// First and longest delay between attempts that are not counted: what the handler depends on is
/// away, or the broker takes neither the returned events nor the dead letter.
pub(crate) const AWAY_DELAY_FIRST: Duration = Duration::from_millis(100);
/// See [`AWAY_DELAY_FIRST`]. Half a minute is what a person who has just mended it will wait.
pub(crate) const AWAY_DELAY_MAX: Duration = Duration::from_secs(30);

/// A handler's outage is told by its last outcomes, one for each of so many keys.
pub(crate) const OUTAGE_WINDOW_KEYS: usize = 20;
/// So many of these keys have to fail, and at most a tenth may succeed: then it is no matter of
/// single events.
pub(crate) const OUTAGE_FAILED_MIN: usize = 10;
/// After so many successes in a row a handler has shown all its keys, if they are fewer than the
/// window has room for.
pub(crate) const QUIET_SUCCESSES: u32 = 256;
/// The most attempts that run at the same time while a handler comes back; when so many of them
/// have ended, and at least half went well, it is well. Half of `CONCURRENCY_DEFAULT`.
pub(crate) const OUTAGE_WIDTH_MAX: usize = 32;
/// A handler that goes in and out of outages says so at this distance.
pub(crate) const OUTAGE_LINES_EVERY: Duration = Duration::from_secs(10);
/// So many attempts has an event in a test without a broker while its handler is probed.
pub(crate) const SKIPPED_PROBES_MAX: u32 = 10;

/// How long a parked key stays with who drains it and says nothing; he says so at a third of it.
/// After a crash the key waits for so long.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const DRAIN_LEASE: Duration = Duration::from_secs(15);

/// Who drains looks at least so often: another instance may have parked a key, or have left one.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const DRAIN_LOOK: Duration = Duration::from_secs(1);

/// How long one look for acts of people lasts; a thread that nobody needs any more ends after it.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const ACTS_POLL: Duration = Duration::from_millis(250);

/// The wait before acts are read again when that has failed.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const ACTS_AGAIN: Duration = Duration::from_secs(5);

/// How often it counts what is parked.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const DRAIN_MEASURED: Duration = Duration::from_secs(5);

/// Parked keys that one instance drains at the same time; handlers that run count as others do.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const DRAINED_LANES_MAX: usize = 16;

/// For so much longer than a handler may take its transaction may lie still before PostgreSQL ends
/// it: whoever is on time never meets that.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const UNIT_IDLE_MARGIN: Duration = Duration::from_secs(5);

/// Events that share one transaction on SQLite, which syncs its file once for all of them. With
/// some hundred the sync is a small part of the time already; more would only hold the writer
/// longer.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const SQLITE_BATCH_MAX: usize = 500;

/// How long a batch takes events in, from its beginning on. SQLite's one writer, and the rows that
/// its handlers have locked, are held for so long and for the time of the commit.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const BATCH_OPEN_MAX: Duration = Duration::from_millis(20);

/// The wait before the next try of a parked event, when what its handler depends on is away.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const DRAIN_DOWN_DELAY: Duration = Duration::from_secs(5);

/// Commits follow each other at this distance while there is something new. A killed instance
/// runs again what it finished since; at this pace a commit costs less than 1 % of a core.
pub(crate) const COMMIT_INTERVAL: Duration = Duration::from_millis(200);

/// How long a partition that is taken away waits for its running handlers.
pub(crate) const REVOKE_DRAIN: Duration = Duration::from_secs(10);

/// How long a stopping service waits for its running handlers. Orchestrators kill after 30 s;
/// five of them remain for the last commit and for leaving the group.
pub(crate) const STOP_DRAIN: Duration = Duration::from_secs(25);

/// A consumer that is refused by an authorizer within this time has never worked, and ends; one
/// that is refused later goes on trying. Joining a group takes seconds.
pub(crate) const REFUSED_AT_START: Duration = Duration::from_secs(30);

/// How long the client may take to leave its group and close. It gives the coordinator five
/// seconds by itself; whatever takes longer never ends.
pub(crate) const CLOSE_MAX: Duration = Duration::from_secs(6);

/// How long one request to the broker (commit, committed offsets, watermarks) may block the
/// consumer's thread. Below `max.poll.interval.ms` and the session time-out.
pub(crate) const BROKER_CALL: Duration = Duration::from_secs(5);

/// How long the store may take to tell or to keep positions. The consumer's thread waits for it, as
/// for the broker; SQLite's writer may be busy for as long as a handler's transaction is open.
pub(crate) const STORE_CALL: Duration = Duration::from_secs(5);

/// How long the consumer's thread sleeps when there is nothing to do. It is woken by records,
/// results and orders; this is for its own deadlines, and against a lost wake-up.
pub(crate) const IDLE_WAIT: Duration = Duration::from_millis(100);

/// A handler that keeps a shard's thread busy this long at its first poll computes or blocks, or
/// the thread lost its processor for a while.
pub(crate) const INLINE_POLL_MAX: Duration = Duration::from_millis(1);
/// What each quicker poll makes up for: so much per event delays others less than a switch between
/// threads does.
pub(crate) const INLINE_FORGIVEN: Duration = Duration::from_micros(20);
/// When slow polls have come to this, the handler's events get tasks of their own for a while, so
/// that other lanes go on beside it. More than one time slice of the operating system.
pub(crate) const INLINE_KEPT_MAX: Duration = Duration::from_millis(20);
/// How many events of such a handler get tasks of their own.
pub(crate) const INLINE_PENALTY_EVENTS: u32 = 1024;

/// What a dead letter quotes of an error. Enough for a sentence with its causes.
pub(crate) const FAILURE_TEXT_MAX_BYTES: usize = 8 * 1024;
