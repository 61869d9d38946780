//! The group coordinator: who is in which consumer group, and which offsets they committed.
//!
//! Membership lives in memory and ends with the process, as Kafka clients expect of a coordinator
//! that moved: they are told `UNKNOWN_MEMBER_ID` and join again. Committed offsets are kept in a
//! journal and survive `kill -9`.

mod limits;
mod settings;

use std::sync::Arc;

use tidings_log::storage::Storage;

use crate::clock::Clock;

pub(crate) use settings::GroupsConfig;

/// What the coordinator must know about topics: whether a committed position can exist.
pub(crate) trait TopicLookup: Send + Sync + 'static {
    /// How many partitions the topic has; `None` if there is no such topic.
    fn partitions(&self, topic: &str) -> Option<i32>;
}

/// The group coordinator; a cheap handle to one shared state.
#[derive(Clone)]
pub(crate) struct Groups {}

/// Why the coordinator could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenGroupsError {
    /// The journal of committed offsets could not be opened.
    #[error("cannot open the journal of committed offsets: {0}")]
    Journal(String),
}

impl Groups {
    /// Reads the committed offsets and starts the coordinator's tasks on the current runtime.
    pub(crate) async fn open(
        _storage: Arc<dyn Storage>,
        _config: GroupsConfig,
        _clock: Arc<dyn Clock>,
        _topics: Arc<dyn TopicLookup>,
    ) -> Result<Groups, OpenGroupsError> {
        Ok(Groups {})
    }

    /// Forgets every offset committed for a topic, because the topic was deleted.
    pub(crate) async fn topic_deleted(&self, _topic: &str) {}

    /// Lowers the commits of a partition that lie beyond `end` to it, because recovery cut the
    /// log's tail there. Each lowered commit is logged.
    pub(crate) async fn clamp(&self, _topic: &str, _partition: i32, _end: i64) {}

    /// Ends the tasks; every waiting request is answered, every acknowledged commit is written.
    pub(crate) async fn close(&self) {}
}
