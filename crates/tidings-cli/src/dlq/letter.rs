//! What is kept of a dead letter while many are looked at: who failed on what, why, since when and
//! how it stands, without its data.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tidings::RecordAddress;
use tidings::cloudevents::{CloudEvent, Record};
use tidings::dead_letter::{DeadLetter, LetterState, header};

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
    /// The record's key.
    pub key_bytes: Option<Vec<u8>>,
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
    pub state: Option<LetterState>,
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
            key_bytes: record.key.as_deref().map(<[u8]>::to_vec),
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
        self.state.is_some_and(LetterState::is_over)
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
        self.state.map_or("waits", LetterState::as_str)
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
            "state": self.state.map(LetterState::as_str),
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
pub mod tests;
