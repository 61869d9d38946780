//! One topic: what never changes about it, and the two things that may.

use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

use crate::partition::{Partition, PartitionId};
use crate::topics::settings::Settings;

/// One topic. Shared by `Arc`; whoever holds one of a deleted topic finds its partitions closed.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    settings: RwLock<Arc<Settings>>,
    partitions: RwLock<Arc<[Arc<Partition>]>>,
}

impl Topic {
    pub(crate) fn new(name: Arc<str>, id: Uuid, settings: Settings) -> Topic {
        let settings = RwLock::new(Arc::new(settings));
        Topic { name, id, settings, partitions: RwLock::new(Arc::new([])) }
    }

    /// The directory of all its partitions.
    pub(crate) fn dir(&self) -> String {
        dir(self.id)
    }

    /// The directory of one partition's log.
    pub(crate) fn log_dir(&self, id: PartitionId) -> String {
        format!("{}/{id}", self.dir())
    }

    /// Its settings.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// Its partitions, by index.
    pub(crate) fn partitions(&self) -> Arc<[Arc<Partition>]> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_partitions(&self, partitions: Vec<Arc<Partition>>) {
        *self.partitions.write().unwrap_or_else(PoisonError::into_inner) = partitions.into();
    }

    /// One of its partitions.
    pub(crate) fn partition(&self, id: PartitionId) -> Option<Arc<Partition>> {
        self.partitions().get(usize::try_from(id.0).ok()?).cloned()
    }
}

/// The directory of the topic with this id.
pub(super) fn dir(id: Uuid) -> String {
    format!("{}/{}", super::open::TOPICS_DIR, id.simple())
}
