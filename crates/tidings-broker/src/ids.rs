//! Ids that must never repeat: the cluster's, and those of idempotent producers. The only owner
//! of `ids.journal`. Format: docs/formats/ids-journal.md.
//!
//! Producer ids are handed out from a block whose end is on the disk before its first id is used,
//! so that no restart, however sudden, gives an id twice.

use std::sync::{Arc, Mutex, PoisonError};

use base64_of::cluster_id;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidings_log::storage::Storage;
use tidings_log::{Journal, JournalError, OpenError};

use crate::limits::PRODUCER_ID_BLOCK;

/// Where they are kept.
pub(crate) const PATH: &str = "ids.journal";

/// The owner of both.
#[derive(Debug)]
pub(crate) struct Ids {
    cluster: String,
    producers: Mutex<ProducerIds>,
}

#[derive(Debug)]
struct ProducerIds {
    journal: Journal,
    next: i64,
    /// The durable end of the current block.
    end: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Cluster(String),
    ProducerIdsBelow(i64),
}

/// The version of the entries' format.
const VERSION: u32 = 1;

/// An entry as it is written: `{"v":1,"producer_ids_below":1000}`.
#[derive(Debug, Serialize, Deserialize)]
struct Written<T> {
    v: u32,
    #[serde(flatten)]
    entry: T,
}

/// Why the ids cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdsError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{PATH} has an entry that this program does not understand ({0})")]
    Unreadable(#[from] serde_json::Error),
    #[error("{PATH} has an entry of version {0}, this program knows {VERSION}; use the newer one")]
    NewerFormat(u32),
    #[error("all producer ids are used up")]
    UsedUp,
}

impl Ids {
    /// Reads what is kept, and invents the cluster's id at the first start. Blocks on the disk.
    pub(crate) fn open(storage: Arc<dyn Storage>) -> Result<Ids, IdsError> {
        let (mut journal, entries, _) = Journal::open(storage, PATH)?;
        let (mut cluster, below) = replay(&entries)?;
        if cluster.is_none() || entries.len() > 100 {
            let id = cluster.unwrap_or_else(|| cluster_id(uuid::Uuid::new_v4()));
            let entries =
                [encode(&Entry::Cluster(id.clone())), encode(&Entry::ProducerIdsBelow(below))];
            journal.rewrite(entries.iter().map(Vec::as_slice))?;
            cluster = Some(id);
        }
        let cluster = cluster.expect("set above");
        let producers = Mutex::new(ProducerIds { journal, next: below, end: below });
        Ok(Ids { cluster, producers })
    }

    /// The cluster's id: 22 characters, as Kafka's.
    pub(crate) fn cluster(&self) -> &str {
        &self.cluster
    }

    /// An id that no producer has had. Blocks on the disk once per block.
    pub(crate) fn next_producer(&self) -> Result<i64, IdsError> {
        let mut ids = self.producers.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.next == ids.end {
            let end = ids.end.checked_add(PRODUCER_ID_BLOCK).ok_or(IdsError::UsedUp)?;
            ids.journal.append(&encode(&Entry::ProducerIdsBelow(end)))?;
            match ids.journal.plan_sync().run() {
                Ok(position) => ids.journal.synced(position),
                Err(error) => {
                    ids.journal.fence(error.to_string());
                    return Err(error.into());
                }
            }
            ids.end = end;
        }
        ids.next += 1;
        Ok(ids.next - 1)
    }
}

pub(crate) fn replay(entries: &[Bytes]) -> Result<(Option<String>, i64), IdsError> {
    let (mut cluster, mut below) = (None, 0);
    for bytes in entries {
        let written: Written<Entry> = serde_json::from_slice(bytes)?;
        if written.v != VERSION {
            return Err(IdsError::NewerFormat(written.v));
        }
        match written.entry {
            Entry::Cluster(id) => cluster = Some(id),
            Entry::ProducerIdsBelow(end) => below = end.max(below),
        }
    }
    Ok((cluster, below))
}

fn encode(entry: &Entry) -> Vec<u8> {
    serde_json::to_vec(&Written { v: VERSION, entry }).expect("strings and numbers always encode")
}

mod base64_of {
    //! Kafka's form of a UUID: 22 characters of base64url without padding.

    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    pub(super) fn cluster_id(id: uuid::Uuid) -> String {
        let digit = |shift: u32| ALPHABET[(id.as_u128() >> shift) as usize & 63] as char;
        let last = ALPHABET[(id.as_u128() as usize & 3) << 4] as char;
        (0..21).map(|index| digit(122 - 6 * index)).chain([last]).collect()
    }
}

#[cfg(test)]
mod tests {
    use tidings_log::storage::Memory;

    use super::*;

    #[test]
    fn the_cluster_id_is_base64url_of_its_uuid() {
        assert_eq!(cluster_id(uuid::Uuid::nil()), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(cluster_id(uuid::Uuid::max()), "_____________________w");
    }

    #[test]
    fn the_written_form_is_the_documented_one() {
        let text = |entry| String::from_utf8(encode(&entry)).expect("text");
        assert_eq!(text(Entry::Cluster("abc".into())), r#"{"v":1,"cluster":"abc"}"#);
        assert_eq!(text(Entry::ProducerIdsBelow(7)), r#"{"v":1,"producer_ids_below":7}"#);
        let entries = [encode(&Entry::ProducerIdsBelow(7)), encode(&Entry::Cluster("abc".into()))];
        let entries = entries.map(Bytes::from);
        assert_eq!(replay(&entries).expect("entries"), (Some("abc".into()), 7));
        replay(&[Bytes::from_static(br#"{"v":9,"cluster":"abc"}"#)]).expect_err("the future");
    }

    #[test]
    fn a_restart_never_gives_an_id_again() {
        let storage: Arc<dyn Storage> = Arc::new(Memory::new());
        let first = Ids::open(storage.clone()).expect("open");
        let last = (0..=PRODUCER_ID_BLOCK).map(|_| first.next_producer().expect("id")).max();
        let cluster = first.cluster().to_owned();
        drop(first); // as a kill would: nothing is said on the way out
        let second = Ids::open(storage).expect("open again");
        assert_eq!(second.cluster(), cluster);
        assert!(second.next_producer().expect("id") > last.expect("some"));
    }
}
