//! Acts: what people ask of running services, as events on one topic that every instance with a
//! store reads. So a command needs nothing but Kafka's address, and what was asked, by whom and
//! what came of it stays to be read.
//!
//! An act is carried out by one instance of its service, in one transaction with its own row in
//! the inbox, and answered on the same topic. One that is older than [`EXPIRES_AFTER`] is answered
//! *expired*: a store that was restored, or a service that was down for long, repeats nothing.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::cloudevents::CloudEvent;
use crate::events::Draft;
use crate::time::Timestamp;

/// The topic of acts: one partition, so that all read them in one order.
pub const TOPIC: &str = "tidings.acts";

/// The type of what is asked.
pub const REQUESTED: &str = "dev.tidings.act.requested.v1";

/// The type of the answers.
pub const FINISHED: &str = "dev.tidings.act.finished.v1";

/// For so long an act is waiting to be carried out.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(600);

/// How long acts are kept on their topic (`retention.ms`): 90 days, to be read by people.
pub const RETENTION_MS: &str = "7776000000";

/// What is asked about a parked event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Act {
    /// Its handler tries it again, and those behind it follow if it is handled.
    Redrive,
    /// It is given up: it is never handled, and those behind it go on.
    Discard,
}

/// What is asked, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Requested {
    /// What to do.
    pub act: Act,
    /// The consumer group that has parked the event.
    pub group: String,
    /// The handler; none for a record that nobody could read.
    pub handler: Option<String>,
    /// Where the event lay.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The record's key in base64, as its copy on the topic of dead letters has it.
    pub key: Option<String>,
    /// Who asks.
    pub who: String,
    /// Why, in a person's words.
    pub why: Option<String>,
}

/// How an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// Carried out.
    Done,
    /// It could not be, by a mistake that the detail tells.
    Failed,
    /// It makes no sense as things are: the event is not parked, or is not the first of its key.
    Refused,
    /// It came too late.
    Expired,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finished {
    /// The id of the act.
    pub request: String,
    /// How it ended.
    pub outcome: Outcome,
    /// A sentence.
    pub detail: String,
    /// The service that answers.
    pub service: String,
    /// Its instance.
    pub instance: String,
}

impl Requested {
    /// To ask this about an event that a handler of a group has parked.
    pub fn new(act: Act, group: impl Into<String>, who: impl Into<String>) -> Requested {
        Requested {
            act,
            group: group.into(),
            handler: None,
            topic: String::new(),
            partition: 0,
            offset: 0,
            key: None,
            who: who.into(),
            why: None,
        }
    }

    /// The event that it is about; `key` as its copy has it.
    pub fn about(
        mut self,
        handler: Option<&str>,
        address: &crate::RecordAddress,
        key: Option<&[u8]>,
    ) -> Requested {
        self.handler = handler.map(str::to_owned);
        self.topic = address.topic.clone();
        self.partition = address.partition.0;
        self.offset = address.offset.0;
        self.key = key.map(|key| STANDARD.encode(key));
        self
    }

    /// The event to publish.
    pub fn draft(&self) -> Draft {
        let expires = Timestamp::now().as_millis() + EXPIRES_AFTER.as_millis() as i64;
        let expires = Timestamp::from_millis(expires).unwrap_or_else(Timestamp::now);
        draft(REQUESTED, self).extension(EXPIRY, expires.to_string())
    }

    /// Reads an act; none if the event is another one.
    pub fn read(event: &CloudEvent) -> Option<Requested> {
        read(REQUESTED, event)
    }

    /// The record's key.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn key_bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.key.as_deref()?).ok()
    }
}

impl Finished {
    /// Reads an answer; none if the event is another one.
    pub fn read(event: &CloudEvent) -> Option<Finished> {
        read(FINISHED, event)
    }

    /// The event to publish.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn draft(&self) -> Draft {
        draft(FINISHED, self)
    }
}

/// Has the act come too late? One without a time to expire never does.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn is_expired(event: &CloudEvent, now: Timestamp) -> bool {
    let expires = event.extensions.get(EXPIRY).and_then(|text| text.parse::<Timestamp>().ok());
    expires.is_some_and(|expires| expires.as_millis() < now.as_millis())
}

const EXPIRY: &str = "expirytime";

fn draft(ty: &str, data: &impl Serialize) -> Draft {
    let data = serde_json::to_vec(data).unwrap_or_default();
    let event = CloudEvent {
        ty: ty.to_owned(),
        datacontenttype: Some("application/json".to_owned()),
        data: Some(data.into()),
        ..CloudEvent::default()
    };
    Draft::dynamic(event, TOPIC, None)
}

fn read<T: for<'de> Deserialize<'de>>(ty: &str, event: &CloudEvent) -> Option<T> {
    let data = event.data.as_deref().filter(|_| event.ty == ty)?;
    serde_json::from_slice(data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_read_and_has_an_end() {
        let address = "orders[3]@17".parse().expect("an address");
        let asked = Requested::new(Act::Redrive, "payments", "ada").about(
            Some("charge"),
            &address,
            Some(b"\xff\x00"),
        );
        let draft = asked.draft();
        assert_eq!(draft.topic_name(), TOPIC);
        assert_eq!(Requested::read(draft.event()), Some(asked.clone()));
        assert_eq!(Finished::read(draft.event()), None);
        let data = serde_json::to_value(&asked).expect("it is written");
        assert_eq!((&data["act"], &data["key"]), (&"redrive".into(), &"/wA=".into()));
        assert_eq!(asked.key_bytes(), Some(vec![0xff, 0]));
        let now = Timestamp::now();
        let later = now.as_millis() + EXPIRES_AFTER.as_millis() as i64 + 1_000;
        assert!(!is_expired(draft.event(), now));
        assert!(is_expired(draft.event(), Timestamp::from_millis(later).expect("a time")));
    }
}
