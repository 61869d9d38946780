//! What is kept of a dead letter while many are looked at: who failed on what, why, since when and
//! how it stands, without its data.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tidings::RecordAddress;
use tidings::cloudevents::{CloudEvent, Record};
use tidings::dead_letter::{DeadLetter, State, header};

use super::fingerprint;
use super::identity::{self, Identity, Place};
use crate::{limits, output, record};

/// One dead letter, as its newest copy tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What its copies have in common.
    pub identity: Identity,
    /// The newest copy.
    pub newest: Place,
    /// How many copies were read.
    pub copies: u32,
    /// The event's id, when it is one.
    pub id: Option<String>,
    /// Who published the event.
    pub source: Option<String>,
    /// The event's type.
    pub ty: Option<String>,
    /// What the event is about.
    pub subject: Option<String>,
    /// The record's key, as text.
    pub key: Option<String>,
    /// The topic that the event came from.
    pub origin_topic: String,
    /// Where exactly it lies there.
    pub origin: Option<RecordAddress>,
    /// The consumer group.
    pub group: Option<String>,
    /// The handler.
    pub handler: Option<String>,
    /// The kind of error.
    pub error: Option<String>,
    /// The error's sentence.
    pub message: Option<String>,
    /// How often it was tried.
    pub attempts: Option<u32>,
    /// Could a retry have helped?
    pub retryable: Option<bool>,
    /// When it first failed, else when its first copy was written.
    pub first_failed: Option<Timestamp>,
    /// When it last failed, else when its copy was written.
    pub last_failed: Option<Timestamp>,
    /// The same for failures of one kind.
    pub fingerprint: String,
    /// How it stands; none waits for ever, until a person sees to it.
    pub state: Option<State>,
    /// How often it was republished before.
    pub redrives: u32,
    /// Has it a value? Copies of too large records have none.
    pub has_data: bool,
}

impl Letter {
    /// Reads a copy; `None` for a record that is no dead letter.
    pub fn of(record: &Record) -> Option<Self> {
        let letter = DeadLetter::read(record)?;
        let event = CloudEvent::from_record(record).ok();
        let attribute = |of: fn(&CloudEvent) -> &str| event.as_ref().map(|e| of(e).to_owned());
        let ty = attribute(|event| &event.ty);
        let written = record::timestamp(record);
        let time = |text: &Option<String>| {
            text.as_deref().and_then(|text| text.parse::<Timestamp>().ok()).or(written)
        };
        let fingerprint = match letter.fingerprint.as_deref() {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => fingerprint_of(&letter, ty.as_deref()),
        };
        Some(Self {
            identity: Identity::of(record, &letter),
            newest: Place::of(record),
            copies: 1,
            id: attribute(|event| event.id.as_str()),
            source: attribute(|event| &event.source),
            ty,
            subject: event.as_ref().and_then(|event| event.subject.clone()),
            key: record.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned()),
            origin: identity::origin(&letter),
            origin_topic: letter.topic,
            group: letter.group,
            handler: letter.handler,
            error: letter.error_class,
            message: letter.message.filter(|text| !text.is_empty()).map(cut),
            attempts: letter.attempts,
            retryable: letter.retryable,
            first_failed: time(&letter.first_failed_at),
            last_failed: time(&letter.last_failed_at),
            fingerprint,
            state: letter.state,
            redrives: redrives(record),
            has_data: record.value.is_some(),
        })
    }

    /// Takes another copy in; the newest one tells.
    pub fn merge(&mut self, other: Self) {
        let (old, new) = match other.newest.is_after(&self.newest) {
            true => (std::mem::replace(self, other.clone()), other),
            false => (other, self.clone()),
        };
        // A mark on another framework's letter repeats its headers: it failed no further time.
        let failed =
            if new.is_over() { old.last_failed.or(new.last_failed) } else { new.last_failed };
        let first = [old.first_failed, new.first_failed].into_iter().flatten().min();
        let mut merged = new;
        if let (Identity::Own(own), false) = (&merged.identity, old.is_mark()) {
            // The mark's origin is the letter itself.
            if merged.newest.address != *own {
                merged.origin_topic = old.origin_topic;
                merged.origin = old.origin;
                merged.group = old.group;
                merged.handler = old.handler;
                merged.fingerprint = old.fingerprint;
            }
        }
        // A copy that was too large carries no more than its address.
        merged.id = merged.id.or(old.id);
        merged.source = merged.source.or(old.source);
        merged.ty = merged.ty.or(old.ty);
        merged.subject = merged.subject.or(old.subject);
        merged.copies += old.copies;
        merged.first_failed = first;
        merged.last_failed = failed;
        *self = merged;
    }

    fn is_mark(&self) -> bool {
        matches!(&self.identity, Identity::Own(own) if *own != self.newest.address)
    }

    /// Is nothing left to be done?
    pub fn is_over(&self) -> bool {
        self.state.is_some_and(State::is_over)
    }

    /// Is it an event of a service with a store, and not over? Then its own handler takes it again.
    pub fn is_parked(&self) -> bool {
        self.state.is_some_and(|state| !state.is_over())
    }

    /// The topic of dead letters that it lies in.
    pub fn topic(&self) -> &str {
        &self.newest.address.topic
    }

    /// How it stands, in a word.
    pub fn state_word(&self) -> &'static str {
        self.state.map_or("waits", State::as_str)
    }

    /// The error's sentence, or what there is instead.
    pub fn reason(&self) -> &str {
        self.message.as_deref().or(self.error.as_deref()).unwrap_or("no reason was given")
    }

    /// Who gave it up.
    pub fn who(&self) -> &str {
        self.handler.as_deref().or(self.group.as_deref()).unwrap_or("-")
    }

    /// The type as people see it.
    pub fn short_type(&self) -> &str {
        self.ty.as_deref().map_or("no event", record::short_type)
    }

    /// The object for scripts.
    pub fn to_json(&self) -> Value {
        let address = &self.newest.address;
        json!({
            "address": address.to_string(),
            "topic": address.topic,
            "partition": address.partition.0,
            "offset": address.offset.0,
            "state": self.state.map(State::as_str),
            "over": self.is_over(),
            "id": self.id,
            "source": self.source,
            "type": self.ty,
            "subject": self.subject,
            "key": self.key,
            "origin": {
                "topic": self.origin_topic,
                "partition": self.origin.as_ref().map(|origin| origin.partition.0),
                "offset": self.origin.as_ref().map(|origin| origin.offset.0),
            },
            "group": self.group,
            "handler": self.handler,
            "error": self.error,
            "reason": self.reason(),
            "attempts": self.attempts,
            "retryable": self.retryable,
            "first_failed_at": self.first_failed.map(|time| time.to_string()),
            "last_failed_at": self.last_failed.map(|time| time.to_string()),
            "fingerprint": self.fingerprint,
            "copies": self.copies,
            "redrives": self.redrives,
        })
    }
}

fn fingerprint_of(letter: &DeadLetter, ty: Option<&str>) -> String {
    let who = letter.handler.as_deref().or(letter.group.as_deref()).unwrap_or_default();
    let class = letter.error_class.as_deref().unwrap_or_default();
    let sentence = fingerprint::normal(letter.message.as_deref().unwrap_or_default());
    fingerprint::of([who, ty.unwrap_or_default(), class, &sentence])
}

/// How often a record was redriven, by the last header that tells.
pub fn redrives(record: &Record) -> u32 {
    let named = record.headers.iter().rev().find(|(name, _)| name == header::REDRIVE_COUNT);
    let text = named.and_then(|(_, value)| std::str::from_utf8(value.as_deref()?).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn cut(mut text: String) -> String {
    if text.len() > limits::REASON_BYTES {
        text.truncate(text.floor_char_boundary(limits::REASON_BYTES));
        text.push('…');
    }
    text
}

/// A time for people, in their zone; `-` for none.
pub fn when(time: Option<Timestamp>, zone: &TimeZone) -> String {
    time.map_or("-".to_owned(), |time| {
        time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    })
}

/// `1 dead letter`, `2 dead letters`.
pub fn counted(number: usize) -> String {
    output::counted(number as i64, "dead letter")
}

#[cfg(test)]
pub mod tests {
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
        assert_eq!((forwards.state, forwards.copies), (Some(State::Done), 3));
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
        assert_eq!(
            (after.fingerprint, after.last_failed),
            (before.fingerprint, before.last_failed)
        );
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
}
