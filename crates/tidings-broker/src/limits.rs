//! Every bound on what a client can make this broker hold or do, with its unit and its reason.

use std::time::Duration;

/// The largest request that is read, as Kafka's `socket.request.max.bytes`: a length above it is
/// no request of a real client, and the connection is closed before anything is allocated.
pub(crate) const MAX_REQUEST_BYTES: usize = 100 << 20;

/// The most connections at a time unless configured. Every one costs two tasks and a few KiB;
/// a machine's worth of services and tools stays far below.
pub(crate) const MAX_CONNECTIONS: usize = 1_000;

/// Kafka's `connections.max.idle.ms`: clients expect to be dropped after it and reconnect.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// The most array elements in one request. A request names topics, partitions and settings; the
/// codec turns each into a structure of about 100 bytes, so this bounds a decoded request to some
/// 10 MiB. 100,000 is ten times what a commit of every partition of a large topic set holds.
pub(crate) const MAX_REQUEST_ELEMENTS: usize = 100_000;

/// The most tagged fields of one structure. Kafka defines at most a handful for any.
pub(crate) const MAX_TAGGED_FIELDS: usize = 64;

/// The smallest request: key, version, correlation id.
pub(crate) const MIN_REQUEST_BYTES: usize = 8;

/// What is reserved for one read from a socket that has nothing waiting. An idle connection holds
/// about this much.
pub(crate) const READ_CHUNK_BYTES: usize = 16 << 10;

/// Requests above this size share one budget. Below it are all but batched produce requests of
/// unusual settings: librdkafka and Java send about 1 MB at most unless told otherwise.
pub(crate) const LARGE_FRAME_BYTES: usize = 2 << 20;

/// The budget for large requests that are arriving or being appended, over all connections. Must
/// hold at least one request of [`MAX_REQUEST_BYTES`]; further ones wait.
pub(crate) const LARGE_FRAMES_BUDGET_BYTES: usize = 256 << 20;

/// How long a request may take from its first byte to its last, besides a second per
/// [`FRAME_PATIENCE_BYTES_PER_S`]: a connection that trickles bytes is no client.
pub(crate) const FRAME_PATIENCE: Duration = Duration::from_secs(30);

/// The slowest sender that is waited for: 64 KiB/s, a bad mobile link.
pub(crate) const FRAME_PATIENCE_BYTES_PER_S: usize = 64 << 10;

/// How many requests of one connection may be read and not yet answered. Idempotent producers keep
/// at most 5; librdkafka without idempotence more, and then simply waits in its socket.
pub(crate) const MAX_IN_FLIGHT: usize = 64;

/// Answers above this size wait in line one at a time per connection, so that a client that asks
/// and does not read holds no more than one of them here.
pub(crate) const LARGE_RESPONSE_BYTES: usize = 64 << 10;

/// A client that takes nothing of an answer for this long is gone.
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_secs(60);

/// How long a stopping broker waits for answers to be written before it drops its connections.
pub(crate) const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Reads up to this size run on the connection's own thread: a fetch at the end of the log finds
/// its few records in the page cache, and a hop to another thread would cost more than the copy.
pub(crate) const INLINE_READ_BYTES: usize = 64 << 10;

/// Kafka's limit for the name of a topic.
pub(crate) const MAX_TOPIC_NAME_BYTES: usize = 249;

/// The most partitions of all topics together. Each keeps a few files open and some KiB; the
/// usual limit of open files is what runs out first.
pub(crate) const MAX_PARTITIONS: usize = 10_000;

/// Kafka's `message.max.bytes`: 1 MiB and a batch's header.
pub(crate) const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// The largest batch that a topic may be set to take: a request holds it and a little more.
pub(crate) const MAX_MESSAGE_BYTES: usize = MAX_REQUEST_BYTES - (1 << 20);

/// Kafka's `log.retention.hours` = 168.
pub(crate) const DEFAULT_RETENTION_MS: i64 = 7 * 24 * 3_600_000;

/// Kafka's least `segment.bytes` before version 4, so that tests can see retention at work.
pub(crate) const MIN_SEGMENT_BYTES: i64 = 14;

/// `segment.bytes` is a 32-bit number in Kafka.
pub(crate) const MAX_SEGMENT_BYTES: i64 = i32::MAX as i64;

/// In memory a segment is at most this share of the memory limit: the budget is kept by giving
/// up whole segments.
pub(crate) const MEMORY_SEGMENTS: u64 = 64;

/// `topics.journal` is written anew beyond this size, if most of it is history.
pub(crate) const TOPICS_JOURNAL_REWRITE_BYTES: u64 = 1 << 20;

/// How many producer ids are taken from the durable counter at a time; ids of a block that was
/// begun are skipped by a restart. Kafka takes 1,000.
pub(crate) const PRODUCER_ID_BLOCK: i64 = 1_000;

/// The most bytes of records in one answer to a fetch, besides its first batch. Clients ask for
/// 50 MiB and take what they get; this bounds what slow readers hold.
pub(crate) const MAX_FETCH_BYTES: usize = 8 << 20;

/// The longest that a fetch waits, whatever the client says. Clients say 0.5 s.
pub(crate) const MAX_FETCH_WAIT: Duration = Duration::from_secs(60);

/// Size at which a segment is sealed on a disk, as Kafka's `log.segment.bytes`.
pub(crate) const SEGMENT_BYTES: u64 = 1 << 30;

/// The same at durability `process`, where only sealed segments are synced: what a start after
/// `kill -9` has to verify is bounded by a few of them. It is what the log's own bound assumes.
pub(crate) const PROCESS_SEGMENT_BYTES: u64 = tidings_log::limits::SEGMENT_BYTES;

/// The least number of threads that serve connections. An append may wait for the page cache, so
/// even on two cores a few more than cores keep the other connections going.
pub(crate) const WORKER_THREADS: usize = 4;

/// Records up to this size are copied into the answer's head: a chunk of their own would cost more
/// in the write than the copy does.
pub(crate) const COPIED_RECORDS_BYTES: usize = 1 << 10;
