//! `topics.journal`: which topics there are. Format: docs/formats/topics-journal.md.
//!
//! Entries are JSON objects in the log crate's journal. A `topic` entry holds the topic's whole
//! state and replaces an earlier one with the same id; a `deleted` entry ends it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use serde::{Deserialize, Serialize};
use tidings_log::storage::Storage;
use tidings_log::{Journal, JournalError, OpenError};
use uuid::Uuid;

use crate::limits::TOPICS_JOURNAL_REWRITE_BYTES;
use crate::topics::{Refused, Topic};

/// Where it lives.
pub(crate) const PATH: &str = "topics.journal";

/// The version of the entries' format.
const VERSION: u32 = 1;

/// An entry as it is written: `{"v":1,"topic":{..}}`.
#[derive(Debug, Serialize, Deserialize)]
struct Written<T> {
    v: u32,
    #[serde(flatten)]
    entry: T,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A topic's whole state.
    Topic(TopicEntry),
    /// The topic is gone.
    Deleted { id: Uuid, name: String },
}

/// What is kept of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopicEntry {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) partitions: usize,
    /// The settings that differ from the defaults, by Kafka's names.
    #[serde(default)]
    pub(crate) config: BTreeMap<String, String>,
}

impl TopicEntry {
    pub(super) fn of(topic: &Topic, partitions: usize) -> TopicEntry {
        let config = topic.settings().overrides().clone();
        TopicEntry { id: topic.id, name: topic.name.as_ref().to_owned(), partitions, config }
    }
}

/// What the entries amount to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The topics that exist, in the order of their creation.
    pub(crate) topics: Vec<TopicEntry>,
    /// Those whose directories may still be there.
    pub(crate) deleted: Vec<Uuid>,
}

/// The entries cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error(
    "{PATH} has an entry that this program does not understand ({0}); \
     was it written by a newer one?"
)]
pub(crate) struct Unreadable(String);

/// Replays entries, oldest first.
pub(crate) fn replay(entries: &[Bytes]) -> Result<Contents, Unreadable> {
    let mut contents = Contents::default();
    for bytes in entries {
        match decode(bytes)? {
            Entry::Topic(new) => match contents.topics.iter_mut().find(|old| old.id == new.id) {
                Some(old) => *old = new,
                None => contents.topics.push(new),
            },
            Entry::Deleted { id, .. } => {
                contents.topics.retain(|topic| topic.id != id);
                contents.deleted.push(id);
            }
        }
    }
    Ok(contents)
}

/// The open journal; every change is on the disk before it counts.
#[derive(Debug)]
pub(crate) struct TopicsJournal {
    journal: Journal,
    topics: BTreeMap<Uuid, TopicEntry>,
}

impl TopicsJournal {
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
    ) -> Result<(TopicsJournal, Vec<Bytes>), OpenError> {
        let (journal, entries, recovery) = Journal::open(storage, PATH)?;
        if recovery.cut_bytes > 0 {
            tracing::warn!(bytes = recovery.cut_bytes, "cut a torn tail off {PATH}");
        }
        Ok((TopicsJournal { journal, topics: BTreeMap::new() }, entries))
    }

    /// Writes the journal anew with nothing but the existing topics.
    pub(crate) fn compact(&mut self, topics: Vec<TopicEntry>) -> Result<(), JournalError> {
        self.topics = topics.into_iter().map(|topic| (topic.id, topic)).collect();
        self.rewrite()
    }

    /// Takes over what a replay found, without writing.
    pub(crate) fn adopt(&mut self, topics: Vec<TopicEntry>) {
        self.topics = topics.into_iter().map(|topic| (topic.id, topic)).collect();
    }

    /// Appends an entry and waits until it is on the disk.
    pub(crate) fn append(&mut self, entry: &Entry) -> Result<(), Refused> {
        self.journal.append(&encode(entry)).map_err(refused)?;
        match self.journal.plan_sync().run() {
            Ok(position) => self.journal.synced(position),
            Err(error) => {
                self.journal.fence(error.to_string());
                return Err(refused(error));
            }
        }
        match entry {
            Entry::Topic(topic) => self.topics.insert(topic.id, topic.clone()),
            Entry::Deleted { id, .. } => self.topics.remove(id),
        };
        if self.journal.size_bytes() > TOPICS_JOURNAL_REWRITE_BYTES.max(self.least_bytes() * 4) {
            // The entry is safe already; a rewrite that fails only leaves the journal long.
            if let Err(error) = self.rewrite() {
                tracing::warn!(%error, "cannot shorten {PATH}");
            }
        }
        Ok(())
    }

    /// Refuses all further entries.
    pub(crate) fn fence(&mut self, reason: &str) {
        self.journal.fence(reason);
    }

    fn rewrite(&mut self) -> Result<(), JournalError> {
        let entries: Vec<_> =
            self.topics.values().map(|topic| encode(&Entry::Topic(topic.clone()))).collect();
        self.journal.rewrite(entries.iter().map(Vec::as_slice))
    }

    fn least_bytes(&self) -> u64 {
        self.topics.len() as u64 * 256
    }
}

fn encode(entry: &Entry) -> Vec<u8> {
    let written = Written { v: VERSION, entry };
    serde_json::to_vec(&written).expect("strings and numbers always encode")
}

fn decode(bytes: &[u8]) -> Result<Entry, Unreadable> {
    let written: Written<Entry> =
        serde_json::from_slice(bytes).map_err(|error| Unreadable(error.to_string()))?;
    if written.v == VERSION {
        return Ok(written.entry);
    }
    Err(Unreadable(format!("it has version {}, known is {VERSION}", written.v)))
}

fn refused(error: JournalError) -> Refused {
    Refused::new(ResponseError::KafkaStorageError, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_is_the_documented_one() {
        let id = Uuid::from_u128(7);
        let config = BTreeMap::from([("retention.ms".to_owned(), "1000".to_owned())]);
        let topic = TopicEntry { id, name: "orders".into(), partitions: 3, config };
        let text = concat!(
            r#"{"v":1,"topic":{"id":"00000000-0000-0000-0000-000000000007","name":"orders","#,
            r#""partitions":3,"config":{"retention.ms":"1000"}}}"#
        );
        assert_eq!(encode(&Entry::Topic(topic)), text.as_bytes());
        let deleted = Entry::Deleted { id, name: "orders".into() };
        let text =
            r#"{"v":1,"deleted":{"id":"00000000-0000-0000-0000-000000000007","name":"orders"}}"#;
        assert_eq!(encode(&deleted), text.as_bytes());
    }

    #[test]
    fn replay_keeps_the_last_state_and_what_is_to_be_removed() {
        let topic = |id, partitions| TopicEntry {
            id: Uuid::from_u128(id),
            name: "t".into(),
            partitions,
            config: BTreeMap::new(),
        };
        let deleted = Entry::Deleted { id: Uuid::from_u128(1), name: "t".into() };
        let entries = [
            Entry::Topic(topic(1, 1)),
            Entry::Topic(topic(1, 2)),
            deleted,
            Entry::Topic(topic(2, 1)),
            Entry::Topic(topic(2, 5)),
        ];
        let entries: Vec<Bytes> = entries.iter().map(|entry| encode(entry).into()).collect();
        let contents = replay(&entries).expect("all are entries");
        assert_eq!(contents.topics, [topic(2, 5)]);
        assert_eq!(contents.deleted, [Uuid::from_u128(1)]);
    }

    #[test]
    fn an_entry_of_the_future_is_an_error_and_not_skipped() {
        replay(&[Bytes::from_static(b"{\"v\":1,\"renamed\":{}}")]).expect_err("unknown entry");
        let future =
            br#"{"v":2,"deleted":{"id":"00000000-0000-0000-0000-000000000007","name":"x"}}"#;
        let error = replay(&[Bytes::from_static(future)]).expect_err("a version of the future");
        assert!(error.to_string().contains("it has version 2, known is 1"), "{error}");
        let more = concat!(
            r#"{"v":1,"topic":{"id":"00000000-0000-0000-0000-000000000007","name":"x","#,
            r#""partitions":1,"config":{},"owner":"me"}}"#
        );
        replay(&[Bytes::from_static(more.as_bytes())]).expect_err("a field that nobody knows");
        replay(&[Bytes::from_static(b"\xff")]).expect_err("no JSON");
    }
}
