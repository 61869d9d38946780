//! What goes into a row.

use super::*;
use crate::Draft;
use crate::events::Stamp;
use crate::time::Timestamp;

fn prepared(event: CloudEvent) -> Result<Rows, OutboxError> {
    let draft = Draft::dynamic(event, "t", Some(Bytes::from_static(b"key")));
    let now = Timestamp::now();
    let stamp = Stamp { source: "/s", now, causation: None, trace: None };
    Rows::of(vec![draft.stamp(&stamp)?])
}

fn event(data: Vec<u8>) -> CloudEvent {
    CloudEvent { ty: "com.example.a.v1".into(), data: Some(data.into()), ..CloudEvent::default() }
}

#[test]
fn what_could_never_be_published_is_refused() {
    let small = prepared(event(vec![b'x'; 1_000_000])).unwrap();
    assert_eq!(small.rows()[0].key, Some(&b"key"[..]));
    let Err(refused) = prepared(event(vec![b'x'; EVENT_MAX_BYTES])) else { panic!("taken") };
    assert!(refused.to_string().contains("more than the 1048076 that can be published"));
    assert!(!refused.is_retryable());
}

#[test]
fn a_row_has_a_uuid_whatever_the_events_id() {
    let ours = prepared(event(vec![])).unwrap();
    assert_eq!(ours.beside[0].row_id, ours.ready[0].event.id.as_str());
    let theirs = |id: &str| {
        let event = CloudEvent { id: id.into(), source: "/theirs".into(), ..event(vec![]) };
        prepared(event).unwrap().beside[0].row_id.clone()
    };
    assert_eq!(theirs("order-1"), theirs("order-1"));
    assert_ne!(theirs("order-1"), theirs("order-2"));
    assert_eq!(Uuid::try_parse(&theirs("order-1")).unwrap().get_version_num(), 8);
}
