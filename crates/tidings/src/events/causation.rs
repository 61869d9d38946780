//! What all events that one handler publishes for one event have in common: their cause.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::cloudevents::CloudEvent;
use crate::ids::{Derivation, EventId};

/// A handler at work on one event: gives what it publishes ids that a re-run derives again, and its
/// place among causes.
///
/// The id depends on how many events of the same type and key came before in this run, in call
/// order; so a handler that publishes from several tasks at once must give them an order itself.
#[derive(Debug)]
pub struct Causation {
    handler: String,
    cause_source: String,
    cause_id: String,
    correlation_id: String,
    ordinals: Mutex<HashMap<Identity, u64>>,
}

type Identity = (String, Option<Bytes>);

impl Causation {
    /// A handler, by its stable name, starts on this event. A retry starts with a new one.
    pub fn of(event: &CloudEvent, handler: impl Into<String>) -> Causation {
        Causation {
            handler: handler.into(),
            cause_source: event.source.clone(),
            cause_id: event.id.as_str().to_owned(),
            correlation_id: event.correlation_id().to_owned(),
            ordinals: Mutex::default(),
        }
    }

    /// The cause's id.
    pub fn cause_id(&self) -> &str {
        &self.cause_id
    }

    /// What the whole process has in common.
    pub fn correlation_id(&self) -> &str {
        &self.correlation_id
    }

    /// The id of the next event of this type and key.
    pub(crate) fn next_id(&self, source: &str, ty: &str, key: Option<&Bytes>) -> EventId {
        let ordinal = {
            // A panic elsewhere cannot leave a counter half changed.
            let mut ordinals = self.ordinals.lock().unwrap_or_else(PoisonError::into_inner);
            let next = ordinals.entry((ty.to_owned(), key.cloned())).or_default();
            let ordinal = *next;
            *next += 1;
            ordinal
        };
        EventId::derive(&Derivation {
            source,
            cause_source: &self.cause_source,
            cause_id: &self.cause_id,
            handler: &self.handler,
            ty,
            key: key.map(|k| k.as_ref()),
            ordinal,
        })
    }
}
