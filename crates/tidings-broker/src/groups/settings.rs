//! What the group coordinator may be told: bounds and delays, each with its default.

use super::limits;

/// Settings of the group coordinator; the names in brackets are Kafka's.
#[derive(Debug, Clone)]
pub(crate) struct GroupsConfig {
    /// How long an empty group waits for more members before its first rebalance completes
    /// (`group.initial.rebalance.delay.ms`).
    pub(crate) initial_rebalance_delay_ms: u64,
    /// The shortest session timeout that a member may ask for (`group.min.session.timeout.ms`).
    pub(crate) min_session_timeout_ms: i32,
    /// The longest one (`group.max.session.timeout.ms`).
    pub(crate) max_session_timeout_ms: i32,
    /// The most members of one group (`group.max.size`).
    pub(crate) max_members: usize,
    /// The most groups that are kept, with or without members.
    pub(crate) max_groups: usize,
    /// How long the offsets of a group without members are kept (`offsets.retention.minutes`).
    pub(crate) offsets_retention_ms: u64,
    /// How often those offsets are looked through (`offsets.retention.check.interval.ms`).
    pub(crate) retention_check_interval_ms: u64,
    /// Whether a commit is synced to the disk before it is acknowledged: durability `power`.
    pub(crate) sync_commits: bool,
}

impl Default for GroupsConfig {
    fn default() -> Self {
        GroupsConfig {
            initial_rebalance_delay_ms: 0,
            min_session_timeout_ms: limits::MIN_SESSION_TIMEOUT_MS,
            max_session_timeout_ms: limits::MAX_SESSION_TIMEOUT_MS,
            max_members: limits::MAX_GROUP_MEMBERS,
            max_groups: limits::MAX_GROUPS,
            offsets_retention_ms: limits::OFFSETS_RETENTION_MS,
            retention_check_interval_ms: limits::OFFSETS_RETENTION_CHECK_MS,
            sync_commits: false,
        }
    }
}
