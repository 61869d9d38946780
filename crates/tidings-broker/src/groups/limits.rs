//! Every bound of the group coordinator, with its unit and its reason.

/// Kafka's `group.min.session.timeout.ms` is 6,000; ours is lower, because a broker on the same
/// machine needs no allowance for slow networks and tests want to see an eviction soon.
pub(crate) const MIN_SESSION_TIMEOUT_MS: i32 = 100;

/// Kafka's `group.max.session.timeout.ms`: half an hour.
pub(crate) const MAX_SESSION_TIMEOUT_MS: i32 = 1_800_000;

/// The most members of one group (Kafka's `group.max.size`, unbounded there). More than there are
/// partitions on one machine; it bounds what a leader is sent.
pub(crate) const MAX_GROUP_MEMBERS: usize = 1_000;

/// The most groups. A machine's services and tools stay far below; it bounds what a client that
/// invents group names can make the broker hold.
pub(crate) const MAX_GROUPS: usize = 10_000;

/// The longest group id and instance id that are taken: four times a topic name, and the
/// journal's codec counts their bytes in 16 bits.
pub(crate) const MAX_ID_BYTES: usize = 1_024;

/// The longest metadata of one committed offset (Kafka's `offset.metadata.max.bytes`).
pub(crate) const MAX_COMMIT_METADATA_BYTES: usize = 4_096;

/// The most offsets that are kept over all groups; at some 200 bytes each a bound of 200 MB.
pub(crate) const MAX_OFFSETS: usize = 1_000_000;

/// How long the offsets of an empty group are kept (Kafka's `offsets.retention.minutes`): 7 days.
pub(crate) const OFFSETS_RETENTION_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// How often expired offsets are looked for (Kafka's `offsets.retention.check.interval.ms`).
pub(crate) const OFFSETS_RETENTION_CHECK_MS: u64 = 600_000;

/// How long a member that is new may wait for its first rebalance before it is taken for gone:
/// a client that dropped its connection cannot be told that it has joined (Kafka: five minutes).
pub(crate) const NEW_MEMBER_JOIN_TIMEOUT_MS: u64 = 300_000;

/// The most commits that one write and one sync carry: enough that a sync is shared by all that
/// waits, few enough that one batch stays a few MiB.
pub(crate) const MAX_COMMITS_PER_WRITE: usize = 1_024;

/// The most commits that may wait to be written. Each belongs to a request that waits, so this is
/// far above what the connections' own bound lets through; beyond it clients are told to retry.
pub(crate) const MAX_WAITING_COMMITS: usize = 10_000;

/// The most bytes of metadata that one member may bring over all its protocols. A subscription
/// to a thousand topics takes some 100 KiB in each of them.
pub(crate) const MAX_MEMBER_METADATA_BYTES: usize = 4 << 20;

/// The largest generation that is kept: all that the members of a group said, with their work. A
/// thousand members of a hundred topics each take a quarter of it; Apache Kafka's bound is one
/// message, a mebibyte. It must fit an entry of the journal (16 MiB).
pub(crate) const MAX_GENERATION_BYTES: usize = 8 << 20;

/// A client id is cut to this in member ids and descriptions: it is there for people to read.
pub(crate) const MAX_CLIENT_ID_BYTES: usize = 255;

/// A journal smaller than this is not worth a rewrite.
pub(crate) const MIN_REWRITE_BYTES: u64 = 1 << 20;

/// The journal is rewritten when it is this many times what its live entries take: each byte is
/// then rewritten a third time over at most, and a start reads a bounded surplus.
pub(crate) const REWRITE_GROWTH: u64 = 4;
