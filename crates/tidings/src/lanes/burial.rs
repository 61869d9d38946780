//! A record that its handler, or nobody, could handle, as its copy on the topic of dead letters
//! tells.

use sha2::{Digest, Sha256};

use super::route::{NOT_AN_EVENT, UNKNOWN_VERSION};
use crate::cloudevents::{Headers, Record};
use crate::dead_letter::{self, DeadLetter, LetterState};
use crate::fail::{Fail, FailKind};
use crate::handler::UNDECODABLE;
use crate::publisher::RawRecord;
use crate::service::limits::FAILURE_TEXT_MAX_BYTES;
use crate::time::Timestamp;

/// The record, who could not handle it, and why.
pub(crate) struct Burial<'a> {
    pub(crate) record: Record,
    pub(crate) group: &'a str,
    pub(crate) handler: Option<&'a str>,
    pub(crate) why: Why,
    pub(crate) attempts: u32,
    pub(crate) first_failed_at: Timestamp,
    pub(crate) last_failed_at: Timestamp,
    /// What has become of it, for services with a store.
    pub(crate) state: Option<LetterState>,
}

/// A failure as it is told to people.
#[derive(Clone)]
pub(crate) struct Why {
    pub(crate) class: String,
    pub(crate) message: String,
    /// `file:line:column`.
    pub(crate) place: String,
    /// The same for failures that the same line of code states with the same type of error.
    pub(crate) fingerprint: String,
    pub(crate) retryable: bool,
}

impl Why {
    pub(crate) fn of(fail: &Fail, handler: Option<&str>) -> Why {
        let mut hash = Sha256::new();
        for part in [handler.unwrap_or_default(), fail.class(), &fail.place()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let print = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Why {
            class: fail.class().to_owned(),
            message: cut(fail.message()),
            place: fail.place(),
            fingerprint: print,
            retryable: fail.kind() != FailKind::Reject,
        }
    }
}

impl Burial<'_> {
    pub(crate) fn letter(&self, member: &str) -> DeadLetter {
        let why = &self.why;
        let undecoded = [UNDECODABLE, NOT_AN_EVENT, UNKNOWN_VERSION].contains(&&*why.class);
        DeadLetter {
            topic: self.record.topic.clone(),
            partition: Some(self.record.partition),
            offset: Some(self.record.offset),
            group: Some(self.group.to_owned()),
            handler: self.handler.map(str::to_owned),
            member: Some(member.to_owned()),
            stage: Some(if undecoded { "decode" } else { "handle" }.to_owned()),
            error_class: Some(why.class.clone()),
            message: Some(why.message.clone()),
            stacktrace: Some(format!("at {}", why.place)),
            attempts: Some(self.attempts),
            first_failed_at: Some(self.first_failed_at.to_string()),
            last_failed_at: Some(self.last_failed_at.to_string()),
            fingerprint: Some(why.fingerprint.clone()),
            retryable: Some(why.retryable),
            state: self.state,
        }
    }

    /// The record byte for byte, with what is known about its failure behind its own headers.
    pub(crate) fn copy(&self, letter: &DeadLetter) -> RawRecord {
        let mut headers: Headers = self.record.headers.clone();
        headers.extend(letter.to_headers());
        RawRecord {
            topic: dead_letter::topic(&self.record.topic, self.group),
            key: self.record.key.clone(),
            value: self.record.value.clone(),
            headers,
            partition: None,
        }
    }
}

/// An error's text may hold whatever the handler's world said: it must not make the copy too
/// large to be written.
fn cut(mut text: String) -> String {
    if text.len() > FAILURE_TEXT_MAX_BYTES {
        let end = text.floor_char_boundary(FAILURE_TEXT_MAX_BYTES);
        text.truncate(end);
        text.push('…');
    }
    text
}
