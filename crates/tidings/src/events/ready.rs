//! The last step before the wire: a draft gets its id, source, times, causes and trace.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Causation, Draft};
use crate::cloudevents::{
    CAUSATION_ID, CORRELATION_ID, CloudEvent, InvalidAttribute, RECORDED_TIME, check_extension,
};
use crate::event::EncodeError;
use crate::ids::EventId;
use crate::time::Timestamp;
use crate::trace::{TRACEPARENT, TRACESTATE, TraceContext};

/// An event that can go out as it is: nothing is added after this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The topic.
    pub topic: Cow<'static, str>,
    /// The record's key.
    pub key: Option<Bytes>,
    /// The event, complete, its hop's trace headers among its headers.
    pub event: CloudEvent,
}

/// Who publishes, when, and because of what.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The publisher's source: a URI reference.
    pub source: &'a str,
    /// The moment of publishing.
    pub now: Timestamp,
    /// The handler that publishes, if one does.
    pub causation: Option<&'a Causation>,
    /// The trace that is going on, if any.
    pub trace: Option<&'a TraceContext>,
}

/// Why a draft cannot become an event. No retry helps: the author must change something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// Its data cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It goes nowhere.
    #[error(
        "an event of type {ty} has no topic: name one in #[event(topic = \"...\")] or by \
             `Draft::topic`"
    )]
    NoTopic {
        /// The event's type.
        ty: String,
    },
    /// The topic cannot exist.
    #[error("`{topic}` cannot be a topic's name: use 1 to 249 letters, digits, `.`, `_` and `-`")]
    TopicName {
        /// The name.
        topic: String,
    },
    /// A null value that nobody asked for.
    #[error(
        "an event of type {ty} for {topic} has no data: on Kafka that is a tombstone, which \
             deletes on compacted topics; say `Draft::tombstone()` if that is meant"
    )]
    NoData {
        /// The event's type.
        ty: String,
        /// Its topic.
        topic: String,
    },
    /// An extension that CloudEvents does not allow.
    #[error(transparent)]
    Attribute(#[from] InvalidAttribute),
    /// A foreign event without what each event has.
    #[error("an event for {topic} has no `{name}`: each event has an id, a source and a type")]
    Missing {
        /// The attribute.
        name: &'static str,
        /// The event's topic.
        topic: String,
    },
}

impl Draft {
    /// Completes the event. A foreign one is only checked.
    pub fn stamp(mut self, stamp: &Stamp<'_>) -> Result<Ready, DraftError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure.into());
        }
        if !self.unchanged {
            self.set_origin(stamp);
        }
        self.check()?;
        let Draft { topic, key, event, .. } = self;
        Ok(Ready { topic, key, event })
    }

    fn set_origin(&mut self, stamp: &Stamp<'_>) {
        let event = &mut self.event;
        let now = stamp.now.to_string();
        if event.source.is_empty() {
            event.source = stamp.source.to_owned();
        }
        if event.id.as_str().is_empty() {
            event.id = match stamp.causation {
                Some(cause) => cause.next_id(&event.source, &event.ty, self.key.as_ref()),
                None => EventId::random(),
            };
        }
        let correlation = stamp.causation.map_or(event.id.as_str(), Causation::correlation_id);
        let correlation = correlation.to_owned();
        let mut set = |name: &str, value: String| {
            event.extensions.entry(name.to_owned()).or_insert(value);
        };
        set(CORRELATION_ID, correlation);
        if let Some(cause) = stamp.causation {
            set(CAUSATION_ID, cause.cause_id().to_owned());
        }
        set(RECORDED_TIME, now.clone());
        event.time.get_or_insert(now);

        // The creation context is the author's if they set one; the hop's is always this one.
        let trace = stamp.trace.map_or_else(TraceContext::start, TraceContext::child);
        if !event.extensions.contains_key(TRACEPARENT) {
            event.extensions.insert(TRACEPARENT.to_owned(), trace.parent.to_string());
            if let Some(state) = trace.state.as_ref().filter(|state| !state.is_empty()) {
                event.extensions.entry(TRACESTATE.to_owned()).or_insert_with(|| state.clone());
            }
        }
        trace.write_hop(&mut event.headers);
    }

    fn check(&self) -> Result<(), DraftError> {
        let event = &self.event;
        let topic = || self.topic.clone().into_owned();
        if self.topic.is_empty() {
            return Err(DraftError::NoTopic { ty: event.ty.clone() });
        }
        if !is_topic_name(&self.topic) {
            return Err(DraftError::TopicName { topic: topic() });
        }
        let required = [("id", event.id.as_str()), ("source", &event.source), ("type", &event.ty)];
        if let Some((name, _)) = required.into_iter().find(|(_, value)| value.is_empty()) {
            return Err(DraftError::Missing { name, topic: topic() });
        }
        if event.data.is_none() && !self.tombstone {
            return Err(DraftError::NoData { ty: event.ty.clone(), topic: topic() });
        }
        for (name, value) in &event.extensions {
            check_extension(name, value)?;
        }
        Ok(())
    }
}

/// Kafka's rule for names of topics.
pub(crate) fn is_topic_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && !matches!(name, "." | "..") && name.bytes().all(legal)
}
