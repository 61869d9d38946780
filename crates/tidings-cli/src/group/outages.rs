//! Handlers of a group that wait, since what they depend on is away: told by the metadata of the
//! last commits.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidings::Timestamp;

use super::standing::Row;
use crate::output;

/// Since when, by the first that says so, and in which partitions.
type Found<'a> = BTreeMap<&'a str, (Timestamp, Vec<&'a Row>)>;

/// A sentence for each handler.
pub fn lines(rows: &[Row]) -> Vec<String> {
    let line = |(handler, (since, its)): (&str, (Timestamp, Vec<&Row>))| {
        let handler = output::printable(handler);
        let partitions = output::counted(its.len() as i64, "partition");
        format!(
            "handler {handler} waits: what it depends on is away since {since} \
             (told by the last commits of {partitions})"
        )
    };
    found(rows).into_iter().map(line).collect()
}

/// The same for scripts.
pub fn to_json(rows: &[Row]) -> Value {
    let outage = |(handler, (since, its)): (&str, (Timestamp, Vec<&Row>))| {
        let partitions: Vec<Value> =
            its.iter().map(|row| json!({"topic": row.topic, "partition": row.partition})).collect();
        json!({"handler": handler, "since": since.to_string(), "partitions": partitions})
    };
    found(rows).into_iter().map(outage).collect()
}

fn found(rows: &[Row]) -> Found<'_> {
    let mut found = Found::new();
    for row in rows {
        for outage in &row.outages {
            let (since, its) =
                found.entry(&outage.handler).or_insert_with(|| (outage.since, Vec::new()));
            *since = (*since).min(outage.since);
            its.push(row);
        }
    }
    found
}
