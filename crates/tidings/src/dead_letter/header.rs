//! The names of dead letters' headers, all in one place.

macro_rules! headers {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        $($(#[$doc])* pub const $name: &str = $text;)+
    };
}

// Kafka Connect's family (KIP-298), as UTF-8 text.
headers! {
    /// The topic that the record came from.
    TOPIC = "__connect.errors.topic";
    /// The partition that it came from.
    PARTITION = "__connect.errors.partition";
    /// Its offset there.
    OFFSET = "__connect.errors.offset";
    /// The handler.
    CONNECTOR_NAME = "__connect.errors.connector.name";
    /// The group's member.
    TASK_ID = "__connect.errors.task.id";
    /// What was being done.
    STAGE = "__connect.errors.stage";
    /// Who was doing it.
    CLASS_NAME = "__connect.errors.class.name";
    /// The kind of error.
    EXCEPTION_CLASS_NAME = "__connect.errors.exception.class.name";
    /// The error's sentence.
    EXCEPTION_MESSAGE = "__connect.errors.exception.message";
    /// The error's causes.
    EXCEPTION_STACKTRACE = "__connect.errors.exception.stacktrace";
}

// Ours, as UTF-8 text.
headers! {
    /// The consumer group.
    GROUP = "tidings-dlq-group";
    /// The handler's stable name.
    HANDLER = "tidings-dlq-handler";
    /// How often it was tried.
    ATTEMPTS = "tidings-dlq-attempts";
    /// RFC 3339.
    FIRST_FAILED_AT = "tidings-dlq-first-failed-at";
    /// RFC 3339.
    LAST_FAILED_AT = "tidings-dlq-last-failed-at";
    /// The same for failures of one kind.
    FINGERPRINT = "tidings-dlq-fingerprint";
    /// `true` or `false`.
    RETRYABLE = "tidings-dlq-retryable";
    /// What has become of a parked event: `parked`, `retrying`, `done`, `discarded`, `edited`.
    STATE = "tidings-dlq-state";
    /// The redrive that brought it here again.
    REDRIVE_ID = "tidings-dlq-redrive-id";
    /// How often it was redriven.
    REDRIVE_COUNT = "tidings-dlq-redrive-count";
}

/// Beginnings of names that belong to dead letters of any framework.
const FAMILIES: [&str; 6] = [
    "__connect.errors.",
    "tidings-dlq-",
    "kafka_dlt-",
    "__streams.errors.",
    "_dlq.errors.",
    "x-original-topic",
];

/// Does this header belong to a dead letter, not to the event?
pub fn is_dead_letter(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    FAMILIES.iter().any(|family| lower.starts_with(family))
}
