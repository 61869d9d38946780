//! Stands in for the broker in a test without one: what is published is caught, in order, and
//! acknowledged at once.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::engine::Answer;
use super::{Ack, PublishError, RawRecord, Receipt};
use crate::address::{Offset, PartitionId};
use crate::cloudevents::{CloudEvent, Record};
use crate::events::Ready;

#[derive(Default)]
pub(crate) struct Catcher {
    caught: Mutex<Vec<Ready>>,
}

impl Catcher {
    /// What was published since the last call.
    pub(crate) fn take(&self) -> Vec<Ready> {
        std::mem::take(&mut *self.caught.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn send(&self, ready: Ready) -> Ack {
        let what = Receipt {
            id: ready.event.id.clone(),
            source: ready.event.source.clone(),
            topic: ready.topic.clone().into_owned(),
            partition: PartitionId::default(),
            offset: Offset::default(),
        };
        let (sender, answer) = oneshot::channel::<Answer>();
        let id = what.id.clone();
        let place = self.catch(ready);
        // The receiver is right here.
        let _ = sender.send(Ok(place));
        Ack { id, answer, what: Some(what) }
    }

    pub(super) fn write(&self, raw: RawRecord) -> Result<(PartitionId, Offset), PublishError> {
        let record = Record {
            topic: raw.topic,
            partition: raw.partition.unwrap_or_default(),
            offset: Offset::default(),
            timestamp_ms: None,
            key: raw.key,
            value: raw.value,
            headers: raw.headers,
        };
        match CloudEvent::from_record(&record) {
            Ok(event) => {
                let Record { topic, key, .. } = record;
                Ok(self.catch(Ready { topic: topic.into(), key, event }))
            }
            Err(why) => Err(PublishError::Refused {
                topic: record.topic,
                bootstrap: "a test without a broker".to_owned(),
                reason: format!("it catches events only: {why}"),
                retryable: false,
            }),
        }
    }

    fn catch(&self, ready: Ready) -> (PartitionId, Offset) {
        let mut caught = self.caught.lock().unwrap_or_else(PoisonError::into_inner);
        caught.push(ready);
        (PartitionId::default(), Offset(caught.len() as i64 - 1))
    }
}
