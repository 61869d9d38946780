//! Copies of dead letters as tests make them, and what is kept of them.

use bytes::Bytes;
use tidings::{Offset, PartitionId};

use super::*;

/// A copy at an offset of `orders.payments.dlq[0]`, with further headers.
pub fn copy(offset: i64, headers: &[(&str, &str)]) -> Record {
    let event = [
        ("ce_specversion", "1.0"),
        ("ce_id", "0193f2ab-0000-7000-8000-000000000001"),
        ("ce_source", "/orders"),
        ("ce_type", "com.example.order.placed.v1"),
        ("ce_subject", "order/1042"),
        ("content-type", "application/json"),
        ("__connect.errors.topic", "orders"),
        ("__connect.errors.partition", "3"),
        ("__connect.errors.offset", "401"),
        ("tidings-dlq-group", "payments"),
        ("tidings-dlq-handler", "charge"),
        ("tidings-dlq-attempts", "5"),
        ("tidings-dlq-first-failed-at", "2026-03-01T10:00:00Z"),
        ("tidings-dlq-last-failed-at", "2026-03-01T10:00:30Z"),
        ("__connect.errors.exception.class.name", "retry"),
        ("__connect.errors.exception.message", "no such customer: 00391"),
    ];
    let header = |(name, value): &(&str, &str)| {
        ((*name).to_owned(), Some(Bytes::copy_from_slice(value.as_bytes())))
    };
    Record {
        topic: "orders.payments.dlq".to_owned(),
        partition: PartitionId(0),
        offset: Offset(offset),
        timestamp_ms: Some(1_772_359_260_000 + offset * 1_000),
        key: Some(Bytes::from_static(b"1042")),
        value: Some(Bytes::from_static(br#"{"order_id":"1042"}"#)),
        headers: event
            .iter()
            // An attribute stands once; of the headers of dead letters the last one counts.
            .filter(|(name, _)| !headers.iter().any(|(other, _)| other == name))
            .chain(headers)
            .map(header)
            .collect(),
    }
}

/// The letter of such copies.
pub fn letter(copies: &[Record]) -> Letter {
    let mut letters = copies.iter().map(|copy| Letter::of(copy).expect("a dead letter"));
    let mut first = letters.next().expect("a copy");
    letters.for_each(|letter| first.merge(letter));
    first
}

#[test]
fn the_newest_copy_says_how_it_stands_in_whatever_order_they_are_read() {
    let copies = [
        copy(1, &[("tidings-dlq-state", "parked")]),
        copy(2, &[("tidings-dlq-state", "retrying"), ("tidings-dlq-attempts", "6")]),
        copy(3, &[("tidings-dlq-state", "done"), ("tidings-dlq-attempts", "7")]),
    ];
    let forwards = letter(&copies);
    let backwards = letter(&[copies[2].clone(), copies[0].clone(), copies[1].clone()]);
    assert_eq!(forwards, backwards);
    assert_eq!((forwards.state, forwards.copies), (Some(LetterState::Done), 3));
    assert_eq!(forwards.attempts, Some(7));
    assert_eq!(forwards.newest.address.to_string(), "orders.payments.dlq[0]@3");
}

#[test]
fn a_copy_without_its_event_leaves_what_others_told() {
    let mut large = copy(2, &[("tidings-dlq-state", "retrying")]);
    large.value = None;
    large.headers.retain(|(name, _)| !name.starts_with("ce_"));
    let letter = letter(&[copy(1, &[]), large]);
    assert_eq!(letter.short_type(), "order.placed");
    assert!(!letter.has_data, "the newest copy has none");
}

#[test]
fn a_mark_on_a_letter_without_an_origin_leaves_what_is_known_of_it() {
    let named = |record: &mut Record, names: &[&str]| {
        record.headers.retain(|(name, _)| !names.iter().any(|n| name.starts_with(n)));
    };
    let mut plain = copy(7, &[("x-original-topic", "orders")]);
    named(&mut plain, &["__connect", "tidings-dlq"]);
    let mut mark = copy(
        9,
        &[
            ("x-original-topic", "orders"),
            ("__connect.errors.topic", "orders.payments.dlq"),
            ("__connect.errors.partition", "0"),
            ("__connect.errors.offset", "7"),
            ("tidings-dlq-state", "done"),
        ],
    );
    let marks = mark.headers.split_off(mark.headers.len() - 5);
    named(&mut mark, &["__connect", "tidings-dlq"]);
    mark.headers.extend(marks);
    let before = letter(std::slice::from_ref(&plain));
    let after = letter(&[plain, mark]);
    assert_eq!((after.is_over(), after.copies), (true, 2));
    assert_eq!((after.origin_topic.as_str(), after.origin.clone()), ("orders", None));
    assert_eq!((after.fingerprint, after.last_failed), (before.fingerprint, before.last_failed));
}

#[test]
fn numbers_in_the_sentence_do_not_change_the_fingerprint() {
    let with = |message: &str| {
        letter(&[copy(1, &[("__connect.errors.exception.message", message)])]).fingerprint
    };
    assert_eq!(with("no such customer: 1"), with("no such customer: 2"));
    assert_ne!(with("no such customer: 1"), with("no such order: 1"));
    let ours = letter(&[copy(1, &[("tidings-dlq-fingerprint", "ab12")])]);
    assert_eq!(ours.fingerprint, "ab12");
}
