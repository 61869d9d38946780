//! A dead letter as a flow shows it: where the copy lies, who gave up, after how many attempts,
//! why.

use jiff::Timestamp;
use tidings::cloudevents::Record;
use tidings::dead_letter::DeadLetter;
use tidings::{Offset, PartitionId, RecordAddress};

use crate::record;

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
}

impl Dead {
    /// Reads a dead letter of any known framework; `None` for any other record.
    pub fn of(record: &Record) -> Option<Self> {
        let letter = DeadLetter::read(record)?;
        let original = match (letter.partition, letter.offset) {
            (Some(PartitionId(partition)), Some(Offset(offset))) => Some(RecordAddress {
                topic: letter.topic,
                partition: PartitionId(partition),
                offset: Offset(offset),
            }),
            _ => None,
        };
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
        })
    }

    /// `dead letter after 5 attempts: "no such customer"`.
    pub fn sentence(&self) -> String {
        let attempts = match self.attempts {
            Some(1) => " after 1 attempt".to_owned(),
            Some(n) => format!(" after {n} attempts"),
            None => String::new(),
        };
        format!("dead letter{attempts}: \"{}\"", crate::output::printable(&self.reason))
    }
}
