//! Opens all topics at start, and finishes what a crash left half done.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, RwLock};

use tidings_log::storage::{Memory, OpenMode, Storage};
use tidings_log::{JournalError, Log, Offset, OpenError, SyncError};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::config::Durability;
use crate::partition::{Partition, PartitionId};
use crate::topics::journal::{PATH, TopicEntry, TopicsJournal, Unreadable, replay};
use crate::topics::settings::{Defaults, Settings};
use crate::topics::topic::{Topic, dir};
use crate::topics::{Refused, Topics};

/// Where the topics' directories are.
pub(super) const TOPICS_DIR: &str = "topics";

/// A partition whose end may be lower than what others remember of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CutTail {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: PartitionId,
    pub(crate) end: Offset,
}

/// Why the topics cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenTopicsError {
    #[error(transparent)]
    Log(#[from] OpenError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("cannot sync the recovered logs: {0}")]
    Sync(#[from] SyncError),
    #[error("topic {name} has settings that this program does not know: {why}")]
    Settings { name: String, why: String },
    #[error("cannot {action} {path}: {source}")]
    Io { action: &'static str, path: String, source: io::Error },
}

impl Topics {
    /// Opens the registry and every log. Blocks on the disk. Returns the partitions whose tail was
    /// not closed cleanly, with their ends: committed offsets may lie beyond.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        durability: Durability,
        runtime: Handle,
        defaults: Defaults,
    ) -> Result<(Topics, Vec<CutTail>), OpenTopicsError> {
        let (mut journal, entries) = TopicsJournal::open(storage.clone())?;
        let contents = replay(&entries)?;
        finish_deletions(storage.as_ref(), &contents.deleted)?;
        report_strangers(storage.as_ref(), &contents.topics)?;
        if contents.deleted.is_empty() {
            journal.adopt(contents.topics.clone());
        } else {
            journal.compact(contents.topics.clone())?;
        }
        let topics = Topics {
            storage,
            durability,
            runtime,
            defaults,
            map: RwLock::new(BTreeMap::new()),
            changes: Mutex::new(journal),
        };
        let mut cut = Vec::new();
        for entry in contents.topics {
            topics.open_topic(entry, &mut cut)?;
        }
        Ok((topics, cut))
    }

    fn open_topic(&self, entry: TopicEntry, cut: &mut Vec<CutTail>) -> Result<(), OpenTopicsError> {
        let settings = Settings::parse(&entry.config).map_err(|Refused { message, .. }| {
            OpenTopicsError::Settings { name: entry.name.clone(), why: message }
        })?;
        let config = settings.log_config(&self.defaults);
        let topic = Topic::new(entry.name.into(), entry.id, settings);
        let mut partitions = Vec::new();
        for id in (0..entry.partitions).filter_map(|index| i32::try_from(index).ok()) {
            let id = PartitionId(id);
            let (log, report) =
                Log::open(self.storage.clone(), &topic.log_dir(id), config.clone())?;
            let name = format!("{}[{id}]", topic.name);
            if report.scanned_bytes > 0 || !report.is_clean() {
                cut.push(CutTail { topic: topic.name.clone(), partition: id, end: log.end() });
                tracing::info!(
                    partition = %name,
                    end = %log.end(),
                    scanned_bytes = report.scanned_bytes,
                    cut_bytes = report.cut_bytes,
                    "recovered"
                );
            }
            let runtime = self.runtime.clone();
            partitions.push(Partition::new(name, self.durability, runtime, log, &report)?);
        }
        topic.set_partitions(partitions);
        let mut map = self.map.write().expect("nobody else has it yet");
        map.insert(topic.name.clone(), Arc::new(topic));
        Ok(())
    }
}

/// Removes directories of topics whose deletion was recorded but not finished.
fn finish_deletions(storage: &dyn Storage, deleted: &[Uuid]) -> Result<(), OpenTopicsError> {
    for id in deleted {
        let path = dir(*id);
        match storage.remove_tree(&path) {
            Ok(()) => tracing::info!(dir = path, "finished the deletion of a topic"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(OpenTopicsError::Io { action: "remove", path, source }),
        }
    }
    Ok(())
}

/// A directory that no entry names is left from a creation that was not finished, or the journal
/// has lost its entry. Nobody but a human can tell, so it stays and is named.
fn report_strangers(storage: &dyn Storage, topics: &[TopicEntry]) -> Result<(), OpenTopicsError> {
    let listed = match storage.list(TOPICS_DIR) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            let path = TOPICS_DIR.to_owned();
            return Err(OpenTopicsError::Io { action: "list", path, source });
        }
    };
    let known: HashSet<String> = topics.iter().map(|topic| topic.id.simple().to_string()).collect();
    for entry in listed.into_iter().filter(|entry| !known.contains(&entry.name)) {
        tracing::warn!(
            "{TOPICS_DIR}/{} belongs to no topic; it is left alone. If it is left from a topic \
             whose creation failed, it can be deleted",
            entry.name
        );
    }
    Ok(())
}

/// The directories of all partitions that the journal names, with topic and index; changes
/// nothing, so that it can look at a directory that is in use.
pub(crate) fn read_partitions(
    storage: &dyn Storage,
) -> Result<HashMap<String, (String, i32)>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot read {PATH}: {error}");
    let content = match read_file(storage, PATH) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(failed(&error)),
    };
    // Opening a journal cuts a torn tail; on a copy in memory that hurts nobody.
    let copy = Memory::new();
    copy.put(PATH, content);
    let (_, entries) = TopicsJournal::open(Arc::new(copy)).map_err(|error| failed(&error))?;
    let contents = replay(&entries).map_err(|error| failed(&error))?;
    let mut partitions = HashMap::new();
    for topic in contents.topics {
        for index in (0..topic.partitions).filter_map(|index| i32::try_from(index).ok()) {
            let dir = format!("{}/{index}", dir(topic.id));
            partitions.insert(dir, (topic.name.clone(), index));
        }
    }
    Ok(partitions)
}

fn read_file(storage: &dyn Storage, path: &str) -> io::Result<Vec<u8>> {
    let file = storage.open(path, OpenMode::Read)?;
    let size = usize::try_from(file.size()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut content = vec![0; size];
    let read = file.read_at(0, &mut content)?;
    content.truncate(read);
    Ok(content)
}
