//! An event's id: a UUIDv7 for an event that nothing in this system caused, and an id that a re-run
//! derives again for one that a handler returned. The bytes stand in docs/formats/event-ids.md.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid, Variant};

/// The id of an event, unique together with its source. Ours are UUIDs; others may be any text.
///
/// ```
/// use tidings::EventId;
/// let root = EventId::random();
/// assert_eq!(root.as_str().len(), 36);
/// assert_eq!(EventId::from("invoice-77").to_string(), "invoice-77");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(String);

/// All that a derived id depends on: neither times nor attempts are part of it, so that a handler
/// that runs again for the same cause gives its events the same ids.
#[derive(Clone, Copy, Debug)]
pub struct Derivation<'a> {
    /// The source of the event that gets the id.
    pub source: &'a str,
    /// The source of the event that caused it.
    pub cause_source: &'a str,
    /// The id of the event that caused it.
    pub cause_id: &'a str,
    /// The stable name of the handler.
    pub handler: &'a str,
    /// The type on the wire, with its version.
    pub ty: &'a str,
    /// The record's key; none is another key than an empty one.
    pub key: Option<&'a [u8]>,
    /// How many events of this type and key came before it for this cause, in call order.
    pub ordinal: u64,
}

impl EventId {
    /// A new UUIDv7 (RFC 9562, 5.7): sorts by time, to the millisecond.
    pub fn random() -> EventId {
        EventId::from(Uuid::now_v7())
    }

    /// The UUIDv8 that everyone derives from the same facts (docs/formats/event-ids.md).
    pub fn derive(from: &Derivation<'_>) -> EventId {
        let digest = digest(from);
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        if let Some(time) = time_bytes(from.cause_id) {
            bytes[..6].copy_from_slice(&time);
        }
        EventId::from(Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Uuid> for EventId {
    fn from(uuid: Uuid) -> EventId {
        EventId(uuid.hyphenated().to_string())
    }
}

impl From<&str> for EventId {
    fn from(text: &str) -> EventId {
        EventId(text.to_owned())
    }
}

impl From<String> for EventId {
    fn from(text: String) -> EventId {
        EventId(text)
    }
}

impl AsRef<str> for EventId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn digest(from: &Derivation<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        // 4 GiB of source or key never reach this place: Kafka refuses the record long before.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX - 1);
        hash.update(length.to_be_bytes());
        hash.update(bytes);
    };
    part(from.source.as_bytes());
    part(from.cause_source.as_bytes());
    part(from.cause_id.as_bytes());
    part(from.handler.as_bytes());
    part(from.ty.as_bytes());
    match from.key {
        Some(key) => part(key),
        None => hash.update(u32::MAX.to_be_bytes()),
    }
    hash.update(from.ordinal.to_be_bytes());
    hash.finalize().into()
}

/// The 48 bits of time in a UUIDv7 or in a v8 derived from one; `None` for any other text.
fn time_bytes(id: &str) -> Option<[u8; 6]> {
    if id.len() != 36 {
        return None;
    }
    let uuid = Uuid::try_parse(id).ok()?;
    let timed = matches!(uuid.get_version_num(), 7 | 8) && uuid.get_variant() == Variant::RFC4122;
    timed.then(|| uuid.as_bytes()[..6].try_into().expect("a UUID has 16 bytes"))
}

#[cfg(test)]
mod tests;
