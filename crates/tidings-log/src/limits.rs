//! Every cap and default of the log in one place, each with its unit and its reason.

/// Length of a record batch's header (magic 2), from the base offset to the record count.
pub const BATCH_HEADER_BYTES: usize = 61;

/// Largest batch that `validate` lets in unless the caller says otherwise: Kafka's default for
/// `message.max.bytes` is 1 MiB plus the overhead of a batch; topics may be configured up to this.
pub const MAX_BATCH_BYTES: usize = 64 * 1024 * 1024;

/// Default size at which a segment file is sealed and a new one begun. Small enough that scanning
/// one after `kill -9` takes some tens of milliseconds, large enough that a busy partition rolls
/// only every second or so.
pub const SEGMENT_BYTES: u64 = 128 * 1024 * 1024;

/// Default distance of two index entries: a lookup walks at most this many bytes (and one batch).
pub const INDEX_INTERVAL_BYTES: u64 = 16 * 1024;

/// The active segment's index is saved whenever this much more of it is on disk, so that recovery
/// after `kill -9` scans at most this much, and not a whole segment, of each partition. (Where
/// acknowledgements wait for syncs; else see [`UNSYNCED_BYTES`].)
pub const CHECKPOINT_BYTES: u64 = 32 * 1024 * 1024;

/// How much of a log's sealed segments may wait for a sync where acknowledgements do not need it:
/// two segments. Recovery after `kill -9` then scans at most this and the active segment, three
/// segments at several GiB a second. Less would send to the disk at once what the system would have
/// written in peace: half of the time of a fast producer went into waiting for that.
pub const UNSYNCED_BYTES: u64 = 2 * SEGMENT_BYTES;

/// How much of a trusted segment's end is verified again at every start: it costs microseconds and
/// finds a tail that somebody zeroed or overwrote while the broker was down.
pub const TAIL_VERIFY_BYTES: u64 = 128 * 1024;

/// Bytes read at a time when walking a segment; large enough for the disk's sequential speed.
pub const SCAN_CHUNK_BYTES: usize = 1024 * 1024;

/// Batches remembered per idempotent producer: librdkafka and the Java client keep at most five
/// requests in flight when idempotence is on (KIP-98).
pub const BATCHES_PER_PRODUCER: usize = 5;

/// Producers remembered per partition; beyond it the one seen longest ago is forgotten.
pub const MAX_PRODUCERS: usize = 10_000;

/// A producer that has been silent this long is forgotten: Kafka's `producer.id.expiration.ms`.
pub const PRODUCER_EXPIRY_MS: i64 = 24 * 60 * 60 * 1000;

/// Most bytes that a compressed batch is decompressed to when a time is looked up in it; what lies
/// beyond is answered with the precision of the batch.
pub const MAX_DECOMPRESSED_BYTES: u64 = 256 * 1024 * 1024;

/// Largest window of a Zstandard frame that is opened: a decoder holds that much. Compressors use
/// 8 MiB at most unless told otherwise (RFC 8878, 3.1.1.1.2), or the content's size if it is small.
pub const MAX_ZSTD_WINDOW_BYTES: u64 = 32 * 1024 * 1024;

/// Largest entry of a journal: entries are a group's offsets or a topic's settings, far below this.
pub const MAX_JOURNAL_ENTRY_BYTES: usize = 16 * 1024 * 1024;

/// Largest journal that is read back: its owner rewrites it long before, at some megabytes.
pub const MAX_JOURNAL_BYTES: u64 = 1024 * 1024 * 1024;
