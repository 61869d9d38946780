//! Events that are stamped already, as rows of the outbox.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tidings_store::batch::Carries;
use tidings_store::outbox::NewRow;
use uuid::{Builder, Uuid};

use super::{EVENT_MAX_BYTES, OutboxError};
use crate::cloudevents::{CloudEvent, Headers};
use crate::events::Ready;
use crate::publisher::RawRecord;

/// Events, each with what its row needs beside it.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    ready: Vec<Ready>,
    beside: Vec<Beside>,
}

#[derive(Debug)]
struct Beside {
    row_id: String,
    headers: Headers,
}

impl Rows {
    /// Refuses what could never be published.
    pub(crate) fn of(ready: Vec<Ready>) -> Result<Rows, OutboxError> {
        let beside: Result<Vec<Beside>, OutboxError> = ready.iter().map(Beside::of).collect();
        Ok(Rows { beside: beside?, ready })
    }

    /// The events.
    pub(crate) fn ready(&self) -> &[Ready] {
        &self.ready
    }
}

impl Carries for Rows {
    fn rows(&self) -> Vec<NewRow<'_>> {
        self.ready.iter().zip(&self.beside).map(|(ready, beside)| beside.row(ready)).collect()
    }
}

impl Beside {
    fn of(ready: &Ready) -> Result<Beside, OutboxError> {
        let headers = ready.event.to_headers();
        let size_bytes = size_bytes(ready.key.as_deref(), ready.event.data.as_deref(), &headers);
        if size_bytes > EVENT_MAX_BYTES {
            let topic = ready.topic.clone().into_owned();
            return Err(OutboxError::TooLarge { topic, size_bytes });
        }
        Ok(Beside { row_id: row_id(&ready.event), headers })
    }

    fn row<'a>(&'a self, ready: &'a Ready) -> NewRow<'a> {
        NewRow {
            id: &self.row_id,
            topic: &ready.topic,
            key: ready.key.as_deref(),
            ty: &ready.event.ty,
            payload: ready.event.data.as_deref(),
            headers: &self.headers,
        }
    }
}

/// What a record takes of [`EVENT_MAX_BYTES`].
pub(crate) fn size_bytes(key: Option<&[u8]>, value: Option<&[u8]>, headers: &Headers) -> usize {
    let of_headers: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len))
        .map(|bytes| bytes + HEADER_LENGTHS_BYTES)
        .sum();
    key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + of_headers
}

/// A dead letter is no event of its own: what it is a copy of stands in its headers.
pub(super) fn letter_row<'a>(id: &'a str, letter: &'a RawRecord) -> NewRow<'a> {
    NewRow {
        id,
        topic: &letter.topic,
        key: letter.key.as_deref(),
        ty: "dead-letter",
        payload: letter.value.as_deref(),
        headers: &letter.headers,
    }
}

/// The table's id is a UUID, as Debezium's users expect. Ours are; somebody else's id becomes one
/// that is always the same (UUIDv8, from SHA-256 over source, a zero byte and id). The event's own
/// id stands in its headers.
fn row_id(event: &CloudEvent) -> String {
    if let Ok(uuid) = Uuid::try_parse(event.id.as_str()) {
        return uuid.hyphenated().to_string();
    }
    let mut hash = Sha256::new();
    hash.update(event.source.as_bytes());
    hash.update([0]);
    hash.update(event.id.as_str().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid().hyphenated().to_string()
}

/// Two length fields of a header.
const HEADER_LENGTHS_BYTES: usize = 10;

#[cfg(test)]
mod tests;
