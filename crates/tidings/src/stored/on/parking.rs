//! What cannot be handled now goes into the store's tables, and a copy of what failed through the
//! outbox to the topic of dead letters, where every tool of Kafka's can see it.

use std::sync::Arc;
use std::time::Duration;

use tidings_store::StoreError;
use tidings_store::parking::drain::ParkedEvent;
use tidings_store::parking::{self, Attempts, Failure, Lane, Parcel, Parked};

use super::Stored;
use super::case::Case;
use super::flight::Away;
use crate::address::{Offset, PartitionId};
use crate::cloudevents::Record;
use crate::dead_letter::{self, DeadLetter, LetterState};
use crate::fail::{Fail, FailKind};
use crate::lanes::burial::{Burial, Why};
use crate::lanes::tries::Tries;
use crate::lanes::{Group, Job};
use crate::outbox::{EVENT_MAX_BYTES, size_bytes};
use crate::publisher::RawRecord;
use crate::time::Timestamp;

impl Stored {
    /// Parks an event that failed, however long it takes: until then its offset stays.
    pub(super) async fn park(
        &self,
        group: &Arc<Group>,
        job: &Job,
        case: &Case,
        fail: &Fail,
        tries: &Tries,
        due: Option<Duration>,
    ) {
        let now = Timestamp::now();
        let handler = case.handler.map(|index| group.router.handlers[index].name);
        let why = Why::of(fail, handler);
        let attempts = Attempts {
            count: tries.told(due),
            first_failed_ms: tries.first_failed_at.unwrap_or(now).as_millis(),
            last_failed_ms: tries.last_failed_at.unwrap_or(now).as_millis(),
            due_in: due,
        };
        let copy = Copy::of(group, handler, job.delivery.record(), &case.event.id, &why, &attempts);
        group.outlet.ensure(&copy.record.topic).await;
        let failure = Failure::from(why);
        let mut away = Away::default();
        let parked = loop {
            match self.try_park(group, job, case, Some((&failure, attempts, &copy))).await {
                Ok(parked) => break parked,
                Err(error) => away.wait(group, case, NOT_YET, &error).await,
            }
        };
        match (parked, case.handler) {
            (Parked::First, index) if due.is_none() => {
                let topic = &job.delivery.place().topic;
                group.meters.dead_lettered(topic, index, fail.class());
                if let (Some(index), FailKind::Retry) = (index, fail.kind()) {
                    group.gave_up(index, &job.delivery, case.event.lane.clone());
                }
            }
            (Parked::First, Some(index)) => group.meters.retried(index, fail.kind()),
            (Parked::Elsewhere, _) => group.meters.duplicate(),
            _ => {}
        }
        if parked == Parked::First {
            group.outlet.stored_letter(&copy.record, &copy.letter);
        }
    }

    /// Parks an event behind earlier ones of its key, unless there are none any more.
    pub(super) async fn park_behind(&self, group: &Group, job: &Job, case: &Case) -> Parked {
        let mut away = Away::default();
        loop {
            match self.try_park(group, job, case, None).await {
                Ok(parked) => return parked,
                Err(error) => away.wait(group, case, NOT_YET, &error).await,
            }
        }
    }

    async fn try_park(
        &self,
        group: &Group,
        job: &Job,
        case: &Case,
        failed: Option<(&Failure, Attempts, &Copy)>,
    ) -> Result<Parked, StoreError> {
        let record = job.delivery.record();
        let parcel = Parcel {
            group: &group.name,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &record.headers,
            timestamp_ms: record.timestamp_ms,
        };
        let (entry, lane) = (case.event.entry(), &case.event.lane);
        let mut session = self.store.begin().await?;
        let parked = match failed {
            None => parking::park_behind(&mut session, &entry, lane, &parcel).await?,
            Some((failure, attempts, _)) => {
                parking::park(&mut session, &entry, lane, &parcel, failure, attempts).await?
            }
        };
        if matches!(parked, Parked::Elsewhere | Parked::NotParked) {
            return Ok(parked);
        }
        let copy = failed.map(|(_, _, copy)| copy).filter(|_| parked == Parked::First);
        if let Some(copy) = copy {
            self.outbox.write_letter(&mut session, &copy.record).await?;
        }
        session.commit().await?;
        group.parked.notify_one();
        if copy.is_some() {
            self.outbox.ring();
        }
        Ok(parked)
    }
}

/// A dead letter on its way into the outbox.
pub(super) struct Copy {
    pub(super) record: RawRecord,
    pub(super) letter: DeadLetter,
}

impl Copy {
    /// Of an event that has failed: it waits for its next attempt, or for a person.
    pub(super) fn of(
        group: &Group,
        handler: Option<&str>,
        record: Record,
        id: &str,
        why: &Why,
        attempts: &Attempts,
    ) -> Copy {
        let state = match attempts.due_in {
            Some(_) => LetterState::Retrying,
            None => LetterState::Parked,
        };
        Copy::in_state(group, handler, record, id, why, attempts, state)
    }

    /// Of a parked event that has come to its end; none if it never had a copy.
    pub(super) fn over(
        group: &Group,
        handler: Option<&str>,
        lane: &Lane,
        event: &ParkedEvent,
        state: LetterState,
    ) -> Option<Copy> {
        let why = Why::from(event.failure.clone()?);
        let attempts = Attempts {
            count: event.attempts,
            first_failed_ms: event.first_failed_ms.unwrap_or_default(),
            last_failed_ms: event.last_failed_ms.unwrap_or_default(),
            due_in: None,
        };
        let record = record_of(lane, event);
        Some(Copy::in_state(group, handler, record, &event.id, &why, &attempts, state))
    }

    fn in_state(
        group: &Group,
        handler: Option<&str>,
        record: Record,
        id: &str,
        why: &Why,
        attempts: &Attempts,
        state: LetterState,
    ) -> Copy {
        let burial = Burial {
            record,
            group: &group.name,
            handler,
            why: why.clone(),
            attempts: attempts.count,
            first_failed_at: time(attempts.first_failed_ms),
            last_failed_at: time(attempts.last_failed_ms),
            state: Some(state),
        };
        let letter = burial.letter(group.outlet.member());
        let mut record = burial.copy(&letter);
        // All copies of one event are in one partition, in order.
        record.key.get_or_insert_with(|| id.to_owned().into());
        if size_bytes(record.key.as_deref(), record.value.as_deref(), &record.headers)
            > EVENT_MAX_BYTES
        {
            // The event itself is in the store. Parking never fails because of its copy.
            record.value = None;
            record.headers = letter.to_headers();
        }
        Copy { record, letter }
    }
}

/// The record as it came.
pub(super) fn record_of(lane: &Lane, event: &ParkedEvent) -> Record {
    Record {
        topic: lane.topic.clone(),
        partition: PartitionId(event.place.partition),
        offset: Offset(event.place.offset),
        timestamp_ms: event.timestamp_ms,
        key: event.key.clone().map(Into::into),
        value: event.value.clone().map(Into::into),
        headers: event.headers.clone(),
    }
}

/// The topic that copies of a topic's events go to.
pub(super) fn letters_of(topic: &str, group: &str) -> String {
    dead_letter::topic(topic, group)
}

/// A time that the store has; one that nobody can have written is now.
fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap_or_else(Timestamp::now)
}

impl From<Why> for Failure {
    fn from(why: Why) -> Failure {
        // PostgreSQL's texts hold no zero bytes, and an error may say anything.
        let clean = |text: String| text.replace('\0', "\u{fffd}");
        Failure {
            cause: clean(why.message),
            class: clean(why.class),
            place: clean(why.place),
            fingerprint: why.fingerprint,
            retryable: why.retryable,
        }
    }
}

impl From<Failure> for Why {
    fn from(failure: Failure) -> Why {
        Why {
            class: failure.class,
            message: failure.cause,
            place: failure.place,
            fingerprint: failure.fingerprint,
            retryable: failure.retryable,
        }
    }
}

const NOT_YET: &str = "the event cannot be parked yet";
