//! Reads the headers of every family of dead letters.

use super::{DeadLetter, LetterState, header};
use crate::address::{Offset, PartitionId};
use crate::cloudevents::Record;

pub(super) fn any(record: &Record) -> Option<DeadLetter> {
    let letter = connect(record)
        .or_else(|| spring(record))
        .or_else(|| texts(record, "__streams.errors.", ""))
        .or_else(|| texts(record, "_dlq.errors.", "original."))
        .or_else(|| original_topic(record))?;
    // Whoever sees to another framework's dead letter marks it with our header.
    let state = text(record, header::STATE).and_then(|word| LetterState::of(&word));
    Some(DeadLetter { state, ..letter })
}

/// Kafka Connect's headers and ours beside them.
fn connect(record: &Record) -> Option<DeadLetter> {
    let text = |name: &str| text(record, name);
    Some(DeadLetter {
        topic: text(header::TOPIC)?,
        partition: text(header::PARTITION).and_then(|t| t.parse().ok()).map(PartitionId),
        offset: text(header::OFFSET).and_then(|t| t.parse().ok()).map(Offset),
        group: text(header::GROUP),
        handler: text(header::HANDLER).or_else(|| text(header::CONNECTOR_NAME)),
        member: text(header::TASK_ID),
        stage: text(header::STAGE),
        error_class: text(header::EXCEPTION_CLASS_NAME),
        message: text(header::EXCEPTION_MESSAGE),
        stacktrace: text(header::EXCEPTION_STACKTRACE),
        attempts: text(header::ATTEMPTS).and_then(|t| t.parse().ok()),
        first_failed_at: text(header::FIRST_FAILED_AT),
        last_failed_at: text(header::LAST_FAILED_AT),
        fingerprint: text(header::FINGERPRINT),
        retryable: text(header::RETRYABLE).and_then(|t| t.parse().ok()),
        state: None,
    })
}

/// Spring Kafka writes the partition as 4 and offsets as 8 bytes, big-endian, not as text.
fn spring(record: &Record) -> Option<DeadLetter> {
    let name = |rest: &str| format!("kafka_dlt-{rest}");
    let text = |rest: &str| text(record, &name(rest));
    let partition = record.header(&name("original-partition")).and_then(|v| v.try_into().ok());
    let offset = record.header(&name("original-offset")).and_then(|v| v.try_into().ok());
    Some(DeadLetter {
        topic: text("original-topic")?,
        partition: partition.map(i32::from_be_bytes).map(PartitionId),
        offset: offset.map(i64::from_be_bytes).map(Offset),
        group: text("original-consumer-group"),
        error_class: text("exception-cause-fqcn").or_else(|| text("exception-fqcn")),
        message: text("exception-message"),
        stacktrace: text("exception-stacktrace"),
        ..DeadLetter::default()
    })
}

/// Kafka Streams (KIP-1034) and the draft for share groups (KIP-1317): text throughout.
fn texts(record: &Record, family: &str, origin: &str) -> Option<DeadLetter> {
    let text = |rest: &str| text(record, &format!("{family}{rest}"));
    let place = |rest: &str| text(&format!("{origin}{rest}"));
    Some(DeadLetter {
        topic: place("topic")?,
        partition: place("partition").and_then(|t| t.parse().ok()).map(PartitionId),
        offset: place("offset").and_then(|t| t.parse().ok()).map(Offset),
        stage: text("disposition"),
        error_class: text("exception"),
        message: text("message"),
        stacktrace: text("stacktrace"),
        ..DeadLetter::default()
    })
}

fn original_topic(record: &Record) -> Option<DeadLetter> {
    Some(DeadLetter { topic: text(record, "x-original-topic")?, ..DeadLetter::default() })
}

/// The last header of this name, since a record that fails again gets new ones behind the old.
fn text(record: &Record, name: &str) -> Option<String> {
    let mut named = record.headers.iter().rev().filter(|(n, _)| n.eq_ignore_ascii_case(name));
    let value = named.next()?.1.as_deref()?;
    std::str::from_utf8(value).ok().map(str::to_owned)
}
