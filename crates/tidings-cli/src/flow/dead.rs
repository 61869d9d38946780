//! A dead letter as a flow shows it: where its newest copy lies, who gave up, after how many
//! attempts, why, and how it stands.

use std::borrow::Cow;

use jiff::Timestamp;
use tidings::RecordAddress;
use tidings::cloudevents::Record;
use tidings::dead_letter::{DeadLetter, LetterState};

use crate::dlq::{self, Identity};
use crate::{output, record};

/// What happened to an event that could not be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Where its copy lies.
    pub address: RecordAddress,
    /// Where the event itself lies, when the copy tells.
    pub original: Option<RecordAddress>,
    /// The group, or else the handler, that gave up.
    pub service: Option<String>,
    /// How often it was tried.
    pub attempts: Option<u32>,
    /// The reason.
    pub reason: String,
    /// When the copy was written.
    pub time: Option<Timestamp>,
    /// How it stands; none waits for ever.
    pub state: Option<LetterState>,
}

impl Dead {
    /// Reads a dead letter of any known framework; `None` for any other record.
    pub fn of(record: &Record) -> Option<Self> {
        let letter = DeadLetter::read(record)?;
        let original = dlq::origin(&letter);
        Some(Self {
            address: record.address(),
            original,
            service: letter.group.or(letter.handler),
            attempts: letter.attempts,
            reason: letter
                .message
                .or(letter.error_class)
                .unwrap_or_else(|| "no reason was given".to_owned()),
            time: record::timestamp(record),
            state: letter.state,
        })
    }

    /// What its copies have in common; `None` for a record that is no dead letter.
    pub fn identity(record: &Record) -> Option<Identity> {
        Some(Identity::of(record, &DeadLetter::read(record)?))
    }

    /// Was it handled after all? Then nothing of it is dead.
    pub fn is_done(&self) -> bool {
        self.state == Some(LetterState::Done)
    }

    /// Does its handler try it again by itself?
    pub fn is_retrying(&self) -> bool {
        self.state == Some(LetterState::Retrying)
    }

    /// What `tidings dlq show` takes to show it: the event's id where it looks by itself.
    pub fn name<'a>(&self, id: &'a str) -> Cow<'a, str> {
        match dlq::looks_like_dead_letters(&self.address.topic) {
            true => Cow::Borrowed(id),
            false => Cow::Owned(self.address.to_string()),
        }
    }

    /// `dead letter after 5 attempts: "no such customer"`.
    pub fn sentence(&self) -> String {
        let attempts = match self.attempts {
            Some(n) => format!(" after {}", output::counted(i64::from(n), "attempt")),
            None => String::new(),
        };
        let word = match self.state {
            None => "dead letter",
            Some(LetterState::Retrying) => "is tried again",
            Some(LetterState::Done) => "done at last",
            Some(state) => state.as_str(),
        };
        format!("{word}{attempts}: \"{}\"", output::printable(&self.reason))
    }
}
