//! One event on its way out, with the choices that its author made for this copy alone.

use std::borrow::Cow;

use bytes::Bytes;

use crate::cloudevents::CloudEvent;
use crate::event::{EncodeError, Event};
use crate::time::Timestamp;

/// An event that has a topic, a key and data, but no id, source or causes yet.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// use tidings::{Draft, Event};
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(type = "com.example.told", version = 1, topic = "told", key = who)]
/// # struct Told { who: String }
/// let draft = Draft::of(Told { who: "Ada".into() }).topic("told.vip").header("shop", "Hamburg");
/// assert_eq!((draft.topic_name(), draft.key_bytes()), ("told.vip", Some(&b"Ada"[..])));
/// ```
#[derive(Debug)]
#[must_use = "a draft does nothing until it is returned or published"]
pub struct Draft {
    pub(super) topic: Cow<'static, str>,
    pub(super) key: Option<Bytes>,
    pub(super) event: CloudEvent,
    pub(super) failure: Option<EncodeError>,
    /// A foreign event: nothing of it is set or changed.
    pub(super) unchanged: bool,
    /// The author wants a null value.
    pub(super) tombstone: bool,
}

/// An event or a [`Draft`]: one thing to publish.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not one event that can be published",
    label = "not an event",
    note = "add `#[derive(Event, Serialize, Deserialize)]` and `#[event(...)]` to it; several at \
            once go to `publish_all`"
)]
pub trait IntoDraft {
    /// The draft.
    fn into_draft(self) -> Draft;
}

#[diagnostic::do_not_recommend]
impl<E: Event> IntoDraft for E {
    fn into_draft(self) -> Draft {
        Draft::of(self)
    }
}

impl IntoDraft for Draft {
    fn into_draft(self) -> Draft {
        self
    }
}

impl Draft {
    /// Takes topic, key, subject and data from the event.
    pub fn of<E: Event>(event: E) -> Draft {
        let (data, failure) = match event.encode() {
            Ok(data) => (Some(Bytes::from(data)), None),
            Err(failure) => (None, Some(failure)),
        };
        Draft {
            topic: Cow::Borrowed(E::TOPIC),
            key: event.key().map(Bytes::from),
            event: CloudEvent {
                ty: E::WIRE_TYPE.to_owned(),
                subject: event.subject(),
                datacontenttype: Some("application/json".to_owned()),
                data,
                ..CloudEvent::default()
            },
            failure,
            unchanged: false,
            tombstone: false,
        }
    }

    /// An event that somebody else made, published as it is: its id, source, time, attributes and
    /// headers stay. A null value goes out as the tombstone that it is.
    pub fn unchanged(event: CloudEvent, topic: impl Into<String>, key: Option<Bytes>) -> Draft {
        Draft {
            topic: Cow::Owned(topic.into()),
            key,
            tombstone: event.data.is_none(),
            event,
            failure: None,
            unchanged: true,
        }
    }

    /// An event whose type is known only at run time: id, source and causes are set as for any
    /// other, unless they are there.
    pub fn dynamic(event: CloudEvent, topic: impl Into<String>, key: Option<Bytes>) -> Draft {
        Draft { unchanged: false, tombstone: false, ..Draft::unchanged(event, topic, key) }
    }

    /// Publishes to another topic than the type's.
    pub fn topic(mut self, topic: impl Into<String>) -> Draft {
        self.topic = Cow::Owned(topic.into());
        self
    }

    /// Sets another key: order is kept among events of one key and topic only.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Draft {
        self.key = Some(Bytes::from(key.into()));
        self
    }

    /// Sets no key: the event may land on any partition, in no order.
    pub fn no_key(mut self) -> Draft {
        self.key = None;
        self
    }

    /// Sets what the event is about.
    pub fn subject(mut self, subject: impl Into<String>) -> Draft {
        self.event.subject = Some(subject.into());
        self
    }

    /// Sets when it happened, if that is not now.
    pub fn time(mut self, time: Timestamp) -> Draft {
        self.event.time = Some(time.to_string());
        self
    }

    /// Sets the id, for events that have one from elsewhere. The same id for another event makes
    /// subscribers drop one of the two.
    pub fn id(mut self, id: impl Into<String>) -> Draft {
        self.event.id = id.into().into();
        self
    }

    /// Sets an extension attribute; a wrong name is an error when the event is published.
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Draft {
        self.event.extensions.insert(name.into(), value.into());
        self
    }

    /// Adds a Kafka header that is no attribute.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Draft {
        self.event.headers.push((name.into(), Some(Bytes::from(value.into()))));
        self
    }

    /// Publishes a null value in place of the data: on a compacted topic it deletes the key's
    /// events. Without this, an event without data is refused.
    pub fn tombstone(mut self) -> Draft {
        self.event.data = None;
        self.event.datacontenttype = None;
        self.tombstone = true;
        self
    }

    /// Where it goes.
    pub fn topic_name(&self) -> &str {
        &self.topic
    }

    /// The record's key.
    pub fn key_bytes(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// The type on the wire.
    pub fn event_type(&self) -> &str {
        &self.event.ty
    }

    /// What is set of the event so far: no id, source or causes for one of ours.
    pub fn event(&self) -> &CloudEvent {
        &self.event
    }
}
