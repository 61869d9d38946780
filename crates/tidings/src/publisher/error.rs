//! Why publishing fails: sentences that name the topic, the size, the address and the setting.

use crate::events::DraftError;
use crate::link::{NotAllowed, Trouble, TroubleKind, Unanswered};

/// The broker cannot be reached, or not like this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers.
    #[error(
        "no Kafka broker answers at {bootstrap} ({reason}): is it running? Set --bootstrap or \
             TIDINGS_BOOTSTRAP to its address, or start one with `tidings dev`"
    )]
    Unreachable {
        /// The addresses that were tried.
        bootstrap: String,
        /// The client's reason.
        reason: String,
    },
    /// The broker refuses this client, or the two speak differently.
    #[error("{trouble}")]
    Refused {
        /// Why, and which setting to look at.
        trouble: Trouble,
    },
    /// The client does not accept its configuration.
    #[error("the Kafka client for {bootstrap} cannot start: {reason}")]
    Client {
        /// The addresses.
        bootstrap: String,
        /// The client's reason.
        reason: String,
    },
}

/// Why an event was not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The event itself is at fault.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// Larger than the client or the topic allows.
    #[error(
        "the event for {topic} has {size_bytes} bytes, more than the {limit_bytes} of \
             `{setting}`: put large data elsewhere and publish where it is"
    )]
    TooLarge {
        /// The topic.
        topic: String,
        /// Key, value and headers.
        size_bytes: usize,
        /// What is allowed.
        limit_bytes: usize,
        /// Which setting says so.
        setting: &'static str,
    },
    /// The broker refused its size.
    #[error(
        "the broker at {bootstrap} refused an event of {size_bytes} bytes for {topic} as too \
             large: see the topic's `max.message.bytes`"
    )]
    RefusedSize {
        /// The topic.
        topic: String,
        /// Key, value and headers.
        size_bytes: usize,
        /// The brokers' addresses.
        bootstrap: String,
    },
    /// The topic is not there, and was not created.
    #[error(
        "there is no topic {topic} on {bootstrap}: create it with `tidings topic create \
             {topic}`, or set create_topics = true (TIDINGS_CREATE_TOPICS)"
    )]
    UnknownTopic {
        /// The topic.
        topic: String,
        /// The brokers' addresses.
        bootstrap: String,
    },
    /// No acknowledgement in time. The event may or may not be there.
    #[error(
        "no broker at {bootstrap} acknowledged an event for {topic} within {waited_ms} ms \
             (`message.timeout.ms`); it may be there all the same"
    )]
    Unacknowledged {
        /// The topic.
        topic: String,
        /// The brokers' addresses.
        bootstrap: String,
        /// The time-out.
        waited_ms: u64,
    },
    /// The broker does not allow it.
    #[error("{act}")]
    NotAllowed {
        /// The topic.
        topic: String,
        /// Who may not do what, and what would allow it.
        act: Box<NotAllowed>,
    },
    /// The broker refuses writes, or the client gave up, for another reason.
    #[error("{bootstrap} did not take an event for {topic}: {reason}")]
    Refused {
        /// The topic.
        topic: String,
        /// The brokers' addresses.
        bootstrap: String,
        /// The broker's or the client's reason.
        reason: String,
        /// Can the same event be taken later?
        retryable: bool,
    },
    /// The publisher is closed.
    #[error("this publisher is closed: events are published before `close`")]
    Closed,
    /// A missing topic could not be created.
    #[error(transparent)]
    CreateTopic(#[from] Box<crate::admin::AdminError>),
}

impl ConnectError {
    /// Can the same call succeed later, with nothing changed?
    pub fn is_retryable(&self) -> bool {
        match self {
            ConnectError::Unreachable { .. } => true,
            ConnectError::Refused { trouble } => !trouble.is_refusal(),
            ConnectError::Client { .. } => false,
        }
    }

    /// What an unanswered question means.
    pub(crate) fn unanswered(bootstrap: &str, unanswered: Unanswered) -> ConnectError {
        let Unanswered { trouble, error } = unanswered;
        let bootstrap = bootstrap.to_owned();
        match trouble {
            Some(trouble) if trouble.kind() != TroubleKind::Unreachable => {
                ConnectError::Refused { trouble: *trouble }
            }
            Some(trouble) => ConnectError::Unreachable { bootstrap, reason: trouble.to_string() },
            None => {
                let code = error.rdkafka_error_code();
                let reason = code.map_or_else(|| error.to_string(), |code| code.to_string());
                ConnectError::Unreachable { bootstrap, reason }
            }
        }
    }
}

impl PublishError {
    /// Can the same event be taken later, with nothing changed?
    pub fn is_retryable(&self) -> bool {
        match self {
            PublishError::UnknownTopic { .. } | PublishError::Unacknowledged { .. } => true,
            // The right is given elsewhere, without a change here. Giving up would make a dead
            // letter of every event until then.
            PublishError::NotAllowed { .. } => true,
            PublishError::Refused { retryable, .. } => *retryable,
            PublishError::CreateTopic(error) => error.is_retryable(),
            _ => false,
        }
    }
}
