//! All topics: which there are, their ids, settings and partitions. The only owner of
//! `topics.journal` and of the directories below `topics/`.
//!
//! Each topic has a directory named by its id, so a name never becomes a path, and a topic that is
//! deleted and created again shares nothing with its former self. What makes changes crash-safe:
//!
//! - create: directories and logs first, then the journal's entry, then it is visible;
//! - delete: the journal's entry first, then it is invisible, then the directories go. A start
//!   finishes what a crash left half done.
//!
//! Changes are made one at a time under `changes`; readers only take the short `map` lock.
//! Lock order: `changes`, `map`, a topic's `settings` or `partitions`, a partition's state.

mod journal;
mod open;
pub(crate) mod settings;
mod topic;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use kafka_protocol::error::ResponseError;
use tidings_log::storage::Storage;
use tidings_log::{Log, OpenError};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::config::Durability;
use crate::limits::{MAX_PARTITIONS, MAX_TOPIC_NAME_BYTES};
use crate::partition::{Partition, PartitionId};

#[cfg(feature = "fuzzing")]
pub(crate) use journal::replay;
use journal::{Entry, TopicEntry, TopicsJournal};
pub(crate) use open::read_partitions;
use settings::{Defaults, Settings};
pub(crate) use topic::Topic;

/// The registry of topics.
#[derive(Debug)]
pub(crate) struct Topics {
    storage: Arc<dyn Storage>,
    durability: Durability,
    runtime: Handle,
    defaults: Defaults,
    map: RwLock<BTreeMap<Arc<str>, Arc<Topic>>>,
    changes: Mutex<TopicsJournal>,
}

/// What a topic shall be like.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) settings: Settings,
}

/// Why a change was refused: Kafka's error with a sentence for its message field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) error: ResponseError,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(error: ResponseError, message: impl Into<String>) -> Refused {
        Refused { error, message: message.into() }
    }
}

impl Topics {
    /// The topic of this name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Topic>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The topic with this id.
    pub(crate) fn find_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        map.values().find(|topic| topic.id == id).cloned()
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// One partition.
    pub(crate) fn partition(&self, topic: &str, id: PartitionId) -> Option<Arc<Partition>> {
        self.find(topic)?.partition(id)
    }

    /// What topics are like whose creator did not say otherwise.
    pub(crate) fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// Whether such a topic could be created now.
    pub(crate) fn admit(&self, new: &NewTopic) -> Result<(), Refused> {
        check_name(&new.name)?;
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        if map.contains_key(new.name.as_str()) {
            let text = format!("Topic '{}' already exists.", new.name);
            return Err(Refused::new(ResponseError::TopicAlreadyExists, text));
        }
        // Kafka's metrics replace '.' by '_', so it refuses names that would be one there. Kept,
        // so that a set of topics that works here works there.
        let same = |name: &str| name.replace('.', "_");
        if let Some(other) = map.keys().find(|other| same(other) == same(&new.name)) {
            let text = format!("Topic '{}' collides with existing topic: {other}", new.name);
            return Err(Refused::new(ResponseError::InvalidTopicException, text));
        }
        if new.partitions < 1 {
            let text = "Number of partitions must be larger than 0.";
            return Err(Refused::new(ResponseError::InvalidPartitions, text));
        }
        let have: usize = map.values().map(|topic| topic.partitions().len()).sum();
        room_for(have, new.partitions)
    }

    /// Creates a topic. Blocks on the disk; once it returns the topic survives a crash.
    pub(crate) fn create(&self, new: &NewTopic) -> Result<Arc<Topic>, Refused> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        self.admit(new)?;
        let id = Uuid::new_v4();
        let settings = new.settings.clone();
        let name: Arc<str> = new.name.as_str().into();
        let topic = Arc::new(Topic::new(name.clone(), id, settings));
        let partitions = (0..new.partitions).map(|index| self.new_partition(&topic, index));
        let partitions = partitions.collect::<Result<Vec<_>, _>>();
        let entry = |count| TopicEntry::of(&topic, count);
        let recorded = partitions
            .and_then(|all| changes.append(&Entry::Topic(entry(all.len()))).map(|()| all));
        match recorded {
            Ok(partitions) => {
                topic.set_partitions(partitions);
                let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
                map.insert(name, topic.clone());
                tracing::info!(topic = %topic.name, partitions = new.partitions, "topic created");
                Ok(topic)
            }
            Err(refused) => {
                // The journal does not know it, so the next start would ask about the directory.
                if let Err(error) = self.storage.remove_tree(&topic.dir()) {
                    tracing::debug!(dir = topic.dir(), %error, "nothing of the topic to remove");
                }
                Err(refused)
            }
        }
    }

    /// Deletes a topic. Blocks on the disk. Readers and writers of it are told at once.
    pub(crate) fn delete(&self, name: &str) -> Result<Arc<Topic>, Refused> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(topic) = self.find(name) else { return Err(unknown(name)) };
        changes.append(&Entry::Deleted { id: topic.id, name: name.to_owned() })?;
        self.map.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        for partition in topic.partitions().iter() {
            partition.delete();
        }
        match self.storage.remove_tree(&topic.dir()) {
            Ok(()) => tracing::info!(topic = name, "topic deleted"),
            Err(error) => tracing::warn!(
                topic = name, dir = topic.dir(), %error,
                "the topic is deleted, but its files could not all be; the next start tries again"
            ),
        }
        Ok(topic)
    }

    /// Gives a topic more partitions. Blocks on the disk.
    pub(crate) fn grow(&self, name: &str, count: i32, dry: bool) -> Result<(), Refused> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = self.find(name).ok_or_else(|| unknown(name))?;
        let mut partitions = topic.partitions().to_vec();
        let now = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        if count <= now {
            let text = format!(
                "Topic currently has {now} partitions, which is higher than or \
                equal to the requested {count}."
            );
            return Err(Refused::new(ResponseError::InvalidPartitions, text));
        }
        let have: usize = self.all().iter().map(|topic| topic.partitions().len()).sum();
        room_for(have, count - now)?;
        if dry {
            return Ok(());
        }
        for index in now..count {
            partitions.push(self.new_partition(&topic, index)?);
        }
        changes.append(&Entry::Topic(TopicEntry::of(&topic, partitions.len())))?;
        topic.set_partitions(partitions);
        tracing::info!(topic = name, partitions = count, "topic has more partitions");
        Ok(())
    }

    /// Changes a topic's settings by what `change` makes of those in force, unless it is only to
    /// be checked. Blocks on the disk.
    pub(crate) fn configure(
        &self,
        name: &str,
        dry: bool,
        change: impl FnOnce(&Settings) -> Result<Settings, Refused>,
    ) -> Result<(), Refused> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = self.find(name).ok_or_else(|| unknown(name))?;
        let settings = change(&topic.settings())?;
        if dry {
            return Ok(());
        }
        let mut entry = TopicEntry::of(&topic, topic.partitions().len());
        entry.config = settings.overrides().clone();
        changes.append(&Entry::Topic(entry))?;
        for partition in topic.partitions().iter() {
            partition.set_config(settings.log_config(&self.defaults));
        }
        topic.set_settings(settings);
        tracing::info!(topic = name, "topic has new settings");
        Ok(())
    }

    /// Closes all logs, so that the next start need not read them. Blocks on the disk.
    pub(crate) fn close(&self) -> Result<(), String> {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failed = None;
        for topic in self.all() {
            for partition in topic.partitions().iter() {
                if let Err(error) = partition.close() {
                    failed.get_or_insert(error.to_string());
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Takes all logs away without closing them, as a kill would: when this returns, nothing is
    /// written any more, and another owner may open the directory.
    pub(crate) fn abandon(&self) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.fence("the broker was dropped");
        for topic in self.all() {
            for partition in topic.partitions().iter() {
                partition.delete();
            }
        }
    }

    fn new_partition(&self, topic: &Topic, index: i32) -> Result<Arc<Partition>, Refused> {
        let id = PartitionId(index);
        let config = topic.settings().log_config(&self.defaults);
        let failed = |error: String| {
            Refused::new(
                ResponseError::KafkaStorageError,
                format!("cannot create the log: {error}"),
            )
        };
        let open = |storage| Log::open(storage, &topic.log_dir(id), config);
        let (log, report) =
            open(self.storage.clone()).map_err(|error: OpenError| failed(error.to_string()))?;
        let name = format!("{}[{index}]", topic.name);
        Partition::new(name, self.durability, self.runtime.clone(), log, &report)
            .map_err(|error| failed(error.to_string()))
    }
}

impl crate::groups::TopicLookup for Topics {
    fn partitions(&self, topic: &str) -> Option<i32> {
        i32::try_from(self.find(topic)?.partitions().len()).ok()
    }
}

/// Kafka's rules for topic names.
pub(crate) fn check_name(name: &str) -> Result<(), Refused> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = if name.is_empty() {
        "it is empty".to_owned()
    } else if matches!(name, "." | "..") {
        "it must not be '.' or '..'".to_owned()
    } else if name.len() > MAX_TOPIC_NAME_BYTES {
        format!("it is longer than {MAX_TOPIC_NAME_BYTES} characters")
    } else if !name.chars().all(legal) {
        "only ASCII letters, digits, '.', '_' and '-' are allowed".to_owned()
    } else {
        return Ok(());
    };
    let text = format!("Topic name '{}' is invalid: {why}.", name.escape_debug());
    Err(Refused::new(ResponseError::InvalidTopicException, text))
}

fn room_for(have: usize, more: i32) -> Result<(), Refused> {
    if have + usize::try_from(more).unwrap_or(usize::MAX / 2) <= MAX_PARTITIONS {
        return Ok(());
    }
    let text = format!("This broker holds at most {MAX_PARTITIONS} partitions; it has {have}.");
    Err(Refused::new(ResponseError::PolicyViolation, text))
}

fn unknown(name: &str) -> Refused {
    let text = format!("Topic '{}' does not exist.", name.escape_debug());
    Refused::new(ResponseError::UnknownTopicOrPartition, text)
}
