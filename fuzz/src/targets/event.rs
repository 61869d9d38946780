//! A record of any origin: read as an event in either mode, as a dead letter, for its trace.

use bytes::Bytes;
use tidings::cloudevents::{CloudEvent, Record};
use tidings::dead_letter::{self, DeadLetter};
use tidings::trace::TraceContext;

use crate::input::Input;

/// Names that mean something; a fuzzer would have to guess them.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_dataschema",
    "content-type", "ce_correlationid", "ce_causationid", "ce_recordedtime", "ce_traceparent",
    "ce_tracestate", "ce_x", "traceparent", "tracestate", "baggage", "shop",
    "__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset",
    "kafka_dlt-original-topic", "kafka_dlt-original-partition", "kafka_dlt-original-offset",
    "__streams.errors.topic", "__streams.errors.partition", "__streams.errors.offset",
    "_dlq.errors.original.topic", "original-topic",
];
/// Values that a required header needs for the rest to be looked at.
const VALUES: &[&str] = &["1.0", "application/cloudevents+json", "application/json", "t"];

pub(super) fn run(data: &[u8]) {
    let record = record(Input(data));
    if let Some(letter) = DeadLetter::read(&record) {
        let written = Record { headers: letter.to_headers(), ..Record::default() };
        let again = DeadLetter::read(&written).expect("what was written is read");
        assert_eq!((again.topic, again.offset), (letter.topic, letter.offset));
    }
    let stripped = dead_letter::strip(&record.headers);
    assert!(stripped.len() <= record.headers.len());
    let Ok(event) = CloudEvent::from_record(&record) else { return };
    let _ = (TraceContext::of_event(&event), event.timestamp(), event.recorded_at());
    let _ = (event.to_json(), event.correlation_id().len(), event.has_json_data());
    // What Tidings writes it reads as the same event.
    let written =
        Record { headers: event.to_headers(), value: event.data.clone(), ..Record::default() };
    let again = CloudEvent::from_record(&written).expect("an event is an event again");
    assert_eq!((&again.id, &again.source, &again.ty), (&event.id, &event.source, &event.ty));
    assert_eq!((&again.subject, &again.data), (&event.subject, &event.data));
    let line = event.to_json_string();
    CloudEvent::from_json(&line).unwrap_or_else(|error| panic!("{line} is no event: {error}"));
}

fn record(mut input: Input<'_>) -> Record {
    let mut record = Record { topic: "t".into(), ..Record::default() };
    for _ in 0..input.byte() % 16 {
        let (name, value) = (input.byte(), input.byte());
        let name = match NAMES.get(usize::from(name)) {
            Some(name) => (*name).to_owned(),
            None => String::from_utf8_lossy(input.piece()).into_owned(),
        };
        let value = match (VALUES.get(usize::from(value)), value) {
            (Some(value), _) => Some(Bytes::from_static(value.as_bytes())),
            (None, 0xff) => None,
            (None, _) => Some(Bytes::copy_from_slice(input.piece())),
        };
        record.headers.push((name, value));
    }
    record.value = (!input.is_empty()).then(|| Bytes::copy_from_slice(input.0));
    record
}
