//! One event for one handler, as the store knows it: by what it is known again, and with what it
//! keeps its order.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tidings_store::inbox::Event;
use tidings_store::parking::{Lane, Place};

use crate::address::RecordAddress;
use crate::cloudevents::CloudEvent;
use crate::lanes::delivery::Delivery;
use crate::lanes::{Group, Job, Work};
use crate::time::Timestamp;

pub(super) struct Case {
    /// By its index; none for a record that nobody can read.
    pub(super) handler: Option<usize>,
    pub(super) address: RecordAddress,
    /// As the store knows it.
    pub(super) event: Arc<Event>,
}

impl Case {
    pub(super) fn of(group: &Group, job: &Job) -> Case {
        let (handler, envelope) = match &job.work {
            Work::Handle(index, envelope) => (Some(*index), envelope.as_deref()),
            Work::Bury(index, _) => (*index, None),
        };
        let address = job.delivery.address();
        let identity = Identity::of(&job.delivery, envelope);
        let key = job.delivery.key().filter(|_| identity.is_some());
        let lane = Lane {
            consumer: consumer(group, handler),
            topic: address.topic.clone(),
            lane: lane_of(key, &address),
        };
        // What nobody can read can only be known by where it lies.
        let identity = identity.unwrap_or_else(|| Identity {
            source: String::new(),
            id: address.to_string(),
            time_ms: None,
        });
        let place = Place { partition: address.partition.0, offset: address.offset.0 };
        let Identity { source, id, time_ms } = identity;
        let event = Arc::new(Event { lane, source, id, place, time_ms });
        Case { handler, address, event }
    }
}

/// By what an event is known again.
struct Identity {
    source: String,
    id: String,
    time_ms: Option<i64>,
}

impl Identity {
    /// None for a record that is no event.
    fn of(delivery: &Delivery, envelope: Option<&CloudEvent>) -> Option<Identity> {
        match envelope {
            Some(event) => Some(Identity::of_event(event)),
            None => Identity::of_headers(delivery).or_else(|| {
                CloudEvent::from_record(&delivery.record()).ok().as_ref().map(Identity::of_event)
            }),
        }
    }

    fn of_event(event: &CloudEvent) -> Identity {
        Identity {
            source: storable(&event.source),
            id: storable(event.id.as_str()),
            time_ms: event.recorded_at().map(Timestamp::as_millis),
        }
    }

    /// The same, without the rest of the envelope; for what is plainly an event.
    fn of_headers(delivery: &Delivery) -> Option<Identity> {
        delivery.plain_type()?;
        let [source, id, recorded, time] = ["ce_source", "ce_id", "ce_recordedtime", "ce_time"]
            .map(|name| delivery.header_text(name));
        let time_of = |text: Option<&str>| text?.parse::<Timestamp>().ok();
        Some(Identity {
            source: storable(source?),
            id: storable(id?),
            time_ms: time_of(recorded).or_else(|| time_of(time)).map(Timestamp::as_millis),
        })
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
    use crate::cloudevents::Record;

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
    fn headers_tell_the_same_as_the_whole_envelope() {
        let header = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned().into()));
        let whole = vec![
            header("ce_specversion", "1.0"),
            header("ce_id", "7"),
            header("ce_id", "8"),
            header("ce_source", "/orders"),
            header("ce_type", "com.example.a.v1"),
        ];
        let times = [
            vec![],
            vec![header("ce_time", "2026-11-27T10:00:00Z")],
            vec![
                header("ce_time", "2026-11-27T10:00:00Z"),
                header("ce_recordedtime", "2026-11-27T10:00:01Z"),
            ],
            vec![header("ce_time", "2026-11-27T10:00:00Z"), header("ce_recordedtime", "no time")],
        ];
        let mut told = Vec::new();
        for time in times {
            let headers = [whole.clone(), time].concat();
            let record = Record { headers, ..Record::default() };
            let event = CloudEvent::from_record(&record).unwrap();
            let event = Identity::of_event(&event);
            let headers = Identity::of_headers(&Delivery::of(&record)).unwrap();
            assert_eq!((&headers.source, &headers.id), (&event.source, &event.id));
            assert_eq!(headers.time_ms, event.time_ms);
            told.push(headers.time_ms.map(|ms| ms % 60_000));
        }
        assert_eq!(told, [None, Some(0), Some(1_000), Some(0)]);
    }

    #[test]
    fn what_a_database_cannot_index_is_known_by_its_hash() {
        assert_eq!(storable("/orders"), "/orders");
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
        let (one, two) = (storable(&"a".repeat(257)), storable(&"a".repeat(258)));
        assert_eq!((one.len(), one == two), (71, false));
    }
}
