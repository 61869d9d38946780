//! One event for one handler, as the store knows it: by what it is known again, and with what it
//! keeps its order.

use sha2::{Digest, Sha256};
use tidings_store::inbox::Entry;
use tidings_store::parking::Lane;

use crate::address::RecordAddress;
use crate::cloudevents::CloudEvent;
use crate::lanes::{Group, Job, Work};
use crate::time::Timestamp;

pub(super) struct Case {
    /// By its index; none for a record that nobody can read.
    pub(super) handler: Option<usize>,
    pub(super) source: String,
    pub(super) id: String,
    pub(super) time_ms: Option<i64>,
    pub(super) address: RecordAddress,
    pub(super) lane: Lane,
}

impl Case {
    pub(super) fn of(group: &Group, job: &Job) -> Case {
        let (handler, envelope) = match &job.work {
            Work::Handle(index, envelope) => (Some(*index), envelope.as_deref().cloned()),
            Work::Bury(index, _) => (*index, None),
        };
        let event = envelope.or_else(|| CloudEvent::from_record(&job.delivery.record()).ok());
        let address = job.delivery.address();
        let (source, id) = match &event {
            Some(event) => (storable(&event.source), storable(event.id.as_str())),
            // It can only be known by where it lies.
            None => (String::new(), address.to_string()),
        };
        let key = job.delivery.key().filter(|_| event.is_some());
        let lane = Lane {
            consumer: consumer(group, handler),
            topic: address.topic.clone(),
            lane: lane_of(key, &address),
        };
        let time_ms = event.as_ref().and_then(|event| event.recorded_at());
        let time_ms = time_ms.map(Timestamp::as_millis);
        Case { handler, source, id, time_ms, address, lane }
    }

    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            consumer: &self.lane.consumer,
            source: &self.source,
            id: &self.id,
            topic: &self.address.topic,
            partition: self.address.partition.0,
            offset: self.address.offset.0,
            time_ms: self.time_ms,
        }
    }
}

/// `service/handler`, for a handler by its index.
pub(super) fn consumer(group: &Group, handler: Option<usize>) -> String {
    consumer_of(group, handler.map(|index| group.router.handlers[index].name))
}

/// `service/handler`. What nobody can read is the whole group's.
pub(super) fn consumer_of(group: &Group, handler: Option<&str>) -> String {
    match handler {
        Some(name) => format!("{}/{name}", group.scope.service),
        None => format!("{}/@{}", group.scope.service, group.name),
    }
}

/// The key, or the event alone. PostgreSQL's indexes hold no more than 2,700 bytes, so a long key
/// is known by its hash.
pub(super) fn lane_of(key: Option<&[u8]>, address: &RecordAddress) -> Vec<u8> {
    match key {
        Some(key) if key.len() <= INDEXED_MAX_BYTES => [b"k", key].concat(),
        Some(key) => [b"h".as_slice(), &Sha256::digest(key)].concat(),
        None => format!("@{}:{}", address.partition.0, address.offset.0).into_bytes(),
    }
}

/// A text that is part of an index: short, and without zero bytes, which PostgreSQL's texts do not
/// hold.
pub(super) fn storable(text: &str) -> String {
    if text.len() <= INDEXED_MAX_BYTES {
        return text.replace('\0', "\u{fffd}");
    }
    let hash = Sha256::digest(text);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

const INDEXED_MAX_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Offset, PartitionId};

    #[test]
    fn keys_have_a_lane_each_and_events_without_one_are_alone() {
        let address = |offset| RecordAddress {
            topic: "orders".to_owned(),
            partition: PartitionId(3),
            offset: Offset(offset),
        };
        let (long, longer) = (vec![7; 300], vec![7; 301]);
        let alone = b"@3:1".to_vec();
        let lanes = [
            lane_of(Some(b"a"), &address(1)),
            lane_of(Some(b""), &address(1)),
            lane_of(Some(&long), &address(1)),
            lane_of(Some(&longer), &address(1)),
            lane_of(Some(&alone), &address(1)),
            lane_of(None, &address(1)),
            lane_of(None, &address(2)),
        ];
        for (at, lane) in lanes.iter().enumerate() {
            assert!(lane.len() <= 300);
            assert!(!lanes[..at].contains(lane), "{lane:?}");
        }
        assert_eq!(lane_of(Some(&long), &address(2)), lanes[2]);
    }

    #[test]
    fn what_a_database_cannot_index_is_known_by_its_hash() {
        assert_eq!(storable("/orders"), "/orders");
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
        let (one, two) = (storable(&"a".repeat(257)), storable(&"a".repeat(258)));
        assert_eq!((one.len(), one == two), (71, false));
    }
}
