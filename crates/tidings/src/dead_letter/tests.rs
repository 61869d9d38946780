//! What is written is read again, and other frameworks' headers as they write them.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn record(headers: Headers) -> Record {
    Record { headers, ..Record::default() }
}

#[test]
fn springs_numbers_are_binary() {
    let headers: Headers = vec![
        ("kafka_dlt-original-topic".into(), Some("orders".into())),
        ("kafka_dlt-original-partition".into(), Some(Bytes::copy_from_slice(&3i32.to_be_bytes()))),
        ("kafka_dlt-original-offset".into(), Some(Bytes::copy_from_slice(&401i64.to_be_bytes()))),
        ("kafka_dlt-exception-fqcn".into(), Some("java.lang.IllegalStateException".into())),
        ("kafka_dlt-exception-message".into(), Some("no such customer".into())),
    ];
    let read = DeadLetter::read(&record(headers)).expect("it is a dead letter");
    assert_eq!((read.topic.as_str(), read.partition), ("orders", Some(PartitionId(3))));
    assert_eq!(read.offset, Some(Offset(401)));
    assert_eq!(read.message.as_deref(), Some("no such customer"));
}

#[test]
fn other_families_are_text() {
    let rows = [("__streams.errors.", ""), ("_dlq.errors.", "original.")];
    for (family, origin) in rows {
        let headers: Headers = vec![
            (format!("{family}{origin}topic"), Some("orders".into())),
            (format!("{family}{origin}partition"), Some("3".into())),
            (format!("{family}{origin}offset"), Some("401".into())),
        ];
        let read = DeadLetter::read(&record(headers)).expect(family);
        assert_eq!((read.partition, read.offset), (Some(PartitionId(3)), Some(Offset(401))));
    }
    let old: Headers = vec![("X-Original-Topic".into(), Some("orders".into()))];
    assert_eq!(DeadLetter::read(&record(old)).map(|d| d.topic), Some("orders".into()));
    assert_eq!(DeadLetter::read(&record(vec![("shop".into(), None)])), None);
}

#[test]
fn a_mark_of_ours_counts_in_every_family() {
    let families = [
        ("__connect.errors.topic", "orders"),
        ("kafka_dlt-original-topic", "orders"),
        ("__streams.errors.topic", "orders"),
        ("_dlq.errors.original.topic", "orders"),
        ("x-original-topic", "orders"),
    ];
    for (name, value) in families {
        let mut headers: Headers = vec![(name.into(), Some(value.into()))];
        let state = |headers: &Headers| DeadLetter::read(&record(headers.clone()))?.state;
        assert_eq!(state(&headers), None, "{name}");
        for word in ["parked", "done"] {
            headers.push((header::STATE.into(), Some(word.into())));
        }
        assert_eq!(state(&headers), Some(LetterState::Done), "{name}: the last one counts");
    }
}

#[test]
fn stripping_leaves_the_events_own_headers() {
    let mut headers: Headers = vec![("ce_id".into(), Some("a".into())), ("shop".into(), None)];
    let own = headers.clone();
    let dead = DeadLetter { topic: "orders".into(), attempts: Some(5), ..DeadLetter::default() };
    headers.extend(dead.to_headers());
    assert_eq!(strip(&headers), own);
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        texts in proptest::array::uniform10(proptest::option::of("\\PC{0,20}")),
        numbers in proptest::option::of((0i32.., 0i64.., 0u32..)),
        retryable in proptest::option::of(any::<bool>()),
        topic in "[a-z.]{1,20}",
        state in proptest::option::of(proptest::sample::select(LetterState::ALL.to_vec())),
    ) {
        let [group, handler, member, stage, class, message, stack, first, last, print] = texts;
        let dead = DeadLetter {
            topic,
            partition: numbers.map(|n| PartitionId(n.0)),
            offset: numbers.map(|n| Offset(n.1)),
            attempts: numbers.map(|n| n.2),
            group,
            handler,
            member,
            stage,
            error_class: class,
            message,
            stacktrace: stack,
            first_failed_at: first,
            last_failed_at: last,
            fingerprint: print,
            retryable,
            state,
        };
        prop_assert_eq!(DeadLetter::read(&record(dead.to_headers())), Some(dead));
    }
}
