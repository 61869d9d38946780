//! What came of one event in a test, and the questions that a test asks about it.

use std::time::Duration;

use serde_json::Value;

use crate::cloudevents::CloudEvent;
use crate::dead_letter::DeadLetter;
use crate::event::Event;
use crate::events::Ready;
use crate::publisher::RawRecord;

/// What the handlers of one event did. All questions can be asked one after the other.
#[derive(Debug)]
pub struct Handled {
    pub(super) published: Vec<Ready>,
    pub(super) buried: Vec<(RawRecord, DeadLetter)>,
    pub(super) handled: u64,
    pub(super) duplicates: u64,
    pub(super) attempts: u64,
    pub(super) waited: Duration,
    /// The last failures of the handlers that are in an outage.
    pub(super) down: Vec<String>,
}

/// A dead letter as it would have been written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Burial {
    /// The record with all its headers.
    pub record: RawRecord,
    /// What its headers say.
    pub letter: DeadLetter,
}

impl Handled {
    /// The events that handlers returned, complete, in order.
    pub fn published(&self) -> &[Ready] {
        &self.published
    }

    /// The returned events of one type, decoded.
    ///
    /// # Panics
    /// If one cannot be decoded.
    #[track_caller]
    pub fn published_of<E: Event>(&self) -> Vec<E> {
        let of_type = self.published.iter().filter(|ready| ready.event.ty == E::WIRE_TYPE);
        let decode = |event: &CloudEvent| E::decode(event.data.as_deref().unwrap_or_default());
        of_type
            .map(|ready| match decode(&ready.event) {
                Ok(event) => event,
                Err(error) => panic!("a published {} cannot be read: {error}", E::WIRE_TYPE),
            })
            .collect()
    }

    /// The dead letters that it became.
    pub fn dead_letters(&self) -> Vec<Burial> {
        let burial = |(record, letter): &(RawRecord, DeadLetter)| Burial {
            record: record.clone(),
            letter: letter.clone(),
        };
        self.buried.iter().map(burial).collect()
    }

    /// Attempts of all handlers together.
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// What the delays between attempts would have summed to.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// A handler returned this event: the same type, key and data.
    ///
    /// # Panics
    /// If not; says what was published instead.
    #[track_caller]
    pub fn expect_published<E: Event>(self, expected: E) -> Handled {
        let key = expected.key();
        let data = match expected.encode() {
            Ok(data) => json(Some(&data)),
            Err(error) => panic!("the expected event cannot be written: {error}"),
        };
        let is_it = |ready: &&Ready| {
            ready.event.ty == E::WIRE_TYPE
                && ready.key.as_deref() == key.as_deref().map(str::as_bytes)
                && json(ready.event.data.as_deref()) == data
        };
        if self.published.iter().find(is_it).is_none() {
            let ty = E::WIRE_TYPE;
            panic!("expected {ty} {data} with key {key:?}\n{}", self.story());
        }
        self
    }

    /// All handlers of its type were done, and none returned an event.
    ///
    /// # Panics
    /// If an event was published, or it became a dead letter, or nobody takes its type.
    #[track_caller]
    pub fn expect_nothing(self) -> Handled {
        if !self.published.is_empty() || !self.buried.is_empty() || self.handled == 0 {
            panic!("expected that it is handled and nothing comes of it\n{}", self.story());
        }
        self
    }

    /// The store's inbox knew it: its handlers were done with it before, and did not run again.
    ///
    /// # Panics
    /// If one ran, or nobody takes its type.
    #[track_caller]
    pub fn expect_duplicate(self) -> Handled {
        if self.duplicates == 0 || self.attempts > 0 {
            panic!("expected that the inbox knows it\n{}", self.story());
        }
        self
    }

    /// What its handler depends on is away, by its own word or since nearly everything failed: the
    /// event waits and is neither handled nor a dead letter, however long that lasts. The last
    /// failure holds this text.
    ///
    /// A service would try it again until it can be handled. A test lets it go after some attempts:
    /// let it be handled again when what was wrong is mended. (With a store, if it is parked, it is
    /// tried again with the next event.)
    ///
    /// # Panics
    /// If it was handled, or given up; says what came of it instead.
    #[track_caller]
    pub fn expect_waiting(self, text: &str) -> Handled {
        let is_down = self.down.iter().any(|failure| failure.contains(text));
        if !is_down || self.handled > 0 || !self.buried.is_empty() {
            panic!("expected that it waits while its handler says `{text}`\n{}", self.story());
        }
        self
    }

    /// Nobody here takes an event of its type.
    ///
    /// # Panics
    /// If somebody did.
    #[track_caller]
    pub fn expect_passed_by(self) -> Handled {
        if self.attempts + self.duplicates != 0 {
            panic!("expected that nobody takes it\n{}", self.story());
        }
        self
    }

    /// It became a dead letter whose message holds this text.
    ///
    /// # Panics
    /// If not; says what came of it instead.
    #[track_caller]
    pub fn expect_dead_letter(self, text: &str) -> Handled {
        let holds = |(_, letter): &(RawRecord, DeadLetter)| {
            letter.message.as_ref().is_some_and(|message| message.contains(text))
        };
        if !self.buried.iter().any(holds) {
            panic!("expected a dead letter that says `{text}`\n{}", self.story());
        }
        self
    }

    /// What happened, for the message of a test that fails.
    fn story(&self) -> String {
        let mut lines = vec![format!(
            "it took {} attempts; {} handlers were done with it",
            self.attempts, self.handled
        )];
        lines.extend(self.down.iter().map(|failure| format!("a handler waits: {failure}")));
        lines.extend(self.published.iter().map(|ready| {
            let data = json(ready.event.data.as_deref());
            let key = ready.key.as_deref().map(String::from_utf8_lossy);
            format!("published: {} {data} with key {key:?} to {}", ready.event.ty, ready.topic)
        }));
        lines.extend(self.buried.iter().map(|(record, letter)| {
            let message = letter.message.as_deref().unwrap_or_default();
            format!("dead letter: {message} (to {})", record.topic)
        }));
        lines.join("\n")
    }
}

/// Data as JSON, so that the order of fields does not matter; what is no JSON as text.
fn json(data: Option<&[u8]>) -> Value {
    let data = data.unwrap_or_default();
    serde_json::from_slice(data)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(data).into_owned()))
}
