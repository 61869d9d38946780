//! The headers of dead letters: those of Kafka Connect and ours are written, those of every known
//! framework are read.

use crate::address::{Offset, PartitionId};
use crate::cloudevents::{Headers, Record};

pub mod header;
mod read;

/// What is known about a dead letter's failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic that it came from.
    pub topic: String,
    /// The partition that it came from.
    pub partition: Option<PartitionId>,
    /// Its offset there.
    pub offset: Option<Offset>,
    /// The consumer group that gave it up.
    pub group: Option<String>,
    /// The handler that gave it up.
    pub handler: Option<String>,
    /// The group's member that gave it up.
    pub member: Option<String>,
    /// What was being done: `decode`, `handle`.
    pub stage: Option<String>,
    /// The kind of error, such as a type's name.
    pub error_class: Option<String>,
    /// The error's sentence.
    pub message: Option<String>,
    /// The error's causes or stack.
    pub stacktrace: Option<String>,
    /// How often it was tried.
    pub attempts: Option<u32>,
    /// When it first failed, RFC 3339.
    pub first_failed_at: Option<String>,
    /// When it last failed, RFC 3339.
    pub last_failed_at: Option<String>,
    /// The same for failures of one kind, so that they can be counted together.
    pub fingerprint: Option<String>,
    /// Could a retry have helped?
    pub retryable: Option<bool>,
    /// What has become of it, for dead letters of services with a store; the newest copy counts.
    pub state: Option<LetterState>,
}

/// What has become of a parked event. Dead letters of services without a store have no state: there
/// they wait for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LetterState {
    /// It waits for a person.
    Parked,
    /// It is tried again by itself.
    Retrying,
    /// Its handler is done with it after all.
    Done,
    /// A person has given it up.
    Discarded,
    /// A person has changed it; it is tried again.
    Edited,
}

impl LetterState {
    const ALL: [LetterState; 5] = [
        LetterState::Parked,
        LetterState::Retrying,
        LetterState::Done,
        LetterState::Discarded,
        LetterState::Edited,
    ];

    /// The word in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            LetterState::Parked => "parked",
            LetterState::Retrying => "retrying",
            LetterState::Done => "done",
            LetterState::Discarded => "discarded",
            LetterState::Edited => "edited",
        }
    }

    /// Is nothing left to be done?
    pub fn is_over(self) -> bool {
        matches!(self, LetterState::Done | LetterState::Discarded)
    }

    fn of(word: &str) -> Option<LetterState> {
        LetterState::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// The topic that a group's dead letters of this topic go to, unless configured.
///
/// ```
/// assert_eq!(tidings::dead_letter::topic("orders", "payments"), "orders.payments.dlq");
/// ```
pub fn topic(topic: &str, group: &str) -> String {
    format!("{topic}.{group}.dlq")
}

impl DeadLetter {
    /// The headers that say all this, to put behind the record's own.
    pub fn to_headers(&self) -> Headers {
        let mut headers = Headers::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                headers.push((name.to_owned(), Some(value.into())));
            }
        };
        put(header::TOPIC, Some(self.topic.clone()));
        put(header::PARTITION, self.partition.map(|p| p.to_string()));
        put(header::OFFSET, self.offset.map(|o| o.to_string()));
        put(header::CONNECTOR_NAME, self.handler.clone());
        put(header::TASK_ID, self.member.clone());
        put(header::STAGE, self.stage.clone());
        put(header::CLASS_NAME, self.handler.clone());
        put(header::EXCEPTION_CLASS_NAME, self.error_class.clone());
        put(header::EXCEPTION_MESSAGE, self.message.clone());
        put(header::EXCEPTION_STACKTRACE, self.stacktrace.clone());
        put(header::GROUP, self.group.clone());
        put(header::HANDLER, self.handler.clone());
        put(header::ATTEMPTS, self.attempts.map(|n| n.to_string()));
        put(header::FIRST_FAILED_AT, self.first_failed_at.clone());
        put(header::LAST_FAILED_AT, self.last_failed_at.clone());
        put(header::FINGERPRINT, self.fingerprint.clone());
        put(header::RETRYABLE, self.retryable.map(|b| b.to_string()));
        put(header::STATE, self.state.map(|state| state.as_str().to_owned()));
        headers
    }

    /// Reads what any known framework wrote: Tidings and Kafka Connect, Spring, Kafka Streams.
    /// `None` for a record that is no dead letter.
    pub fn read(record: &Record) -> Option<DeadLetter> {
        read::any(record)
    }
}

/// The record's headers without those of dead letters, as they were before it failed.
pub fn strip(headers: &Headers) -> Headers {
    headers.iter().filter(|(name, _)| !header::is_dead_letter(name)).cloned().collect()
}

#[cfg(test)]
mod tests;
