//! Draining: the first event of a lane is handled after all, then the one behind it, until none is
//! left and the lane goes on as if nothing had been. By any instance: a lease keeps two from trying
//! the same key, and nothing but time depends on it. All times are the database's.

use std::time::Duration;

use super::{Attempts, Failure, Lane, Place};
use crate::connection::{Connection, Row, Value, statements};
use crate::error::StoreError;
use crate::headers::{self, Headers};
use crate::inbox::{self, Outcome};
use crate::limits::{NEXT_DUE_MAX, millis};
use crate::store::{Session, Store};

/// Somebody who drains, among others.
#[derive(Clone, Debug)]
pub struct Drainer {
    name: String,
    lease_ms: i64,
}

/// The first event of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedEvent {
    /// Where it lay.
    pub place: Place,
    /// As the inbox knows it.
    pub source: String,
    /// As the inbox knows it.
    pub id: String,
    /// The consumer group.
    pub group: String,
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The record's value.
    pub value: Option<Vec<u8>>,
    /// The record's headers.
    pub headers: Headers,
    /// The record's time, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was parked; none if it only waits.
    pub failure: Option<Failure>,
    /// The first failure, in milliseconds since 1970.
    pub first_failed_ms: Option<i64>,
    /// The last failure.
    pub last_failed_ms: Option<i64>,
    /// Until its next attempt, in milliseconds; none: a person has to look at it.
    pub due_in_ms: Option<i64>,
}

impl Drainer {
    /// `name` must be no other drainer's, now or later: make it from randomness at each start.
    pub fn new(name: impl Into<String>, lease: Duration) -> Drainer {
        Drainer { name: name.into(), lease_ms: millis(lease) }
    }

    /// Ends the leases of drainers whose names begin like this: earlier lives of an instance that
    /// has a name of its own, which need not be waited for.
    pub async fn take_over(&self, store: &Store, earlier: &str) -> Result<(), StoreError> {
        let done = store.read(|sql| sql.drain_take_over, &[Value::Text(Some(earlier))]).await;
        done.map(drop).map_err(StoreError::of("take its parked keys over"))
    }

    /// Takes lanes of these consumers that are due within `horizon` and nobody else drains.
    pub async fn claim(
        &self,
        store: &Store,
        consumers: &[String],
        horizon: Duration,
        max_lanes: usize,
    ) -> Result<Vec<Lane>, StoreError> {
        const WHAT: &str = "claim parked keys";
        let consumers = json(consumers);
        let values = [
            Value::Text(Some(&self.name)),
            Value::Int(self.lease_ms),
            Value::Text(Some(&consumers)),
            Value::Int(millis(horizon)),
            Value::Int(i64::try_from(max_lanes).unwrap_or(i64::MAX)),
        ];
        let mut session = store.begin().await?;
        let sql = statements(&session).drain_claim;
        let rows = session.rows(sql, &values).await;
        let lanes: Result<Vec<Lane>, sqlx::Error> =
            rows.and_then(|rows| rows.iter().map(lane_of).collect());
        let lanes = lanes.map_err(StoreError::of(WHAT))?;
        session.commit().await?;
        Ok(lanes)
    }

    /// Goes on holding what it drains: called every third of a lease.
    pub async fn renew(&self, store: &Store) -> Result<(), StoreError> {
        let values = [Value::Text(Some(&self.name)), Value::Int(self.lease_ms)];
        let done = store.read(|sql| sql.drain_renew, &values).await;
        done.map(drop).map_err(StoreError::of("go on holding parked keys"))
    }

    /// Gives a lane back.
    pub async fn release(&self, store: &Store, lane: &Lane) -> Result<(), StoreError> {
        let [consumer, topic, bytes] = lane.values();
        let values = [Value::Text(Some(&self.name)), consumer, topic, bytes];
        let done = store.read(|sql| sql.drain_release, &values).await;
        done.map(drop).map_err(StoreError::of("give a parked key back"))
    }

    /// Gives all of them back: others need not wait for the leases to end.
    pub async fn leave(&self, store: &Store) -> Result<(), StoreError> {
        let done = store.read(|sql| sql.drain_leave, &[Value::Text(Some(&self.name))]).await;
        done.map(drop).map_err(StoreError::of("give its parked keys back"))
    }
}

/// How long until a lane of these consumers can be claimed; an hour at most.
pub async fn next_due_in(store: &Store, consumers: &[String]) -> Result<Duration, StoreError> {
    let consumers = json(consumers);
    let rows = store.read(|sql| sql.drain_next, &[Value::Text(Some(&consumers))]).await;
    let number = rows.and_then(|rows| rows.first().ok_or(sqlx::Error::RowNotFound)?.int(0));
    let ms = number.map_err(StoreError::of("look when a parked key is due"))?;
    Ok(Duration::from_millis(ms.max(0).unsigned_abs()).min(NEXT_DUE_MAX))
}

/// The first event of a lane; none if the lane is not parked.
pub async fn head(store: &Store, lane: &Lane) -> Result<Option<ParkedEvent>, StoreError> {
    let rows = store.read(|sql| sql.parked_head, &lane.values()).await;
    let rows = rows.map_err(StoreError::of(READ))?;
    rows.first().map(|row| read(lane, row)).transpose()
}

/// Takes the event's row away, in the transaction in which it is handled. `false`: it is not the
/// first of its lane, and the transaction has to be rolled back. Needs the lane's lock.
pub(crate) async fn take(
    session: &mut Session,
    lane: &Lane,
    place: Place,
) -> Result<bool, StoreError> {
    let sql = statements(session).parked_take;
    let deleted = session.execute(sql, &lane.values_at(place)).await;
    Ok(deleted.map_err(StoreError::of("take a parked event"))? == 1)
}

/// The event is handled: the last statements of its transaction, which has taken it. `false`: roll
/// back.
pub async fn done(
    session: &mut Session,
    lane: &Lane,
    event: &ParkedEvent,
) -> Result<bool, StoreError> {
    lane.refresh(session).await?;
    inbox::settle(session, &lane.consumer, &event.source, &event.id, Outcome::Done).await
}

/// A person has given the event up: gone, without its handler, in a transaction of its own. None if
/// it is not the first of its lane, or does not wait for a person.
pub async fn discard(
    session: &mut Session,
    lane: &Lane,
    place: Place,
) -> Result<Option<ParkedEvent>, StoreError> {
    if !lane.lock(session).await? {
        return Ok(None);
    }
    let sql = statements(session).parked_head;
    let rows = session.rows(sql, &lane.values()).await.map_err(StoreError::of(READ))?;
    let Some(event) = rows.first().map(|row| read(lane, row)).transpose()? else {
        return Ok(None);
    };
    if event.place != place || event.due_in_ms.is_some() || !take(session, lane, place).await? {
        return Ok(None);
    }
    lane.refresh(session).await?;
    let outcome = Outcome::Discarded;
    let settled = inbox::settle(session, &lane.consumer, &event.source, &event.id, outcome).await?;
    Ok(settled.then_some(event))
}

/// Is the event parked in this lane?
pub async fn is_there(
    session: &mut Session,
    lane: &Lane,
    place: Place,
) -> Result<bool, StoreError> {
    let sql = statements(session).parked_there;
    let rows = session.rows(sql, &lane.values_at(place)).await.map_err(StoreError::of(READ))?;
    Ok(!rows.is_empty())
}

/// The event has failed again, in a transaction of its own. `false`: somebody else has tried it in
/// the meantime, and the transaction has to be rolled back.
pub async fn failed(
    session: &mut Session,
    lane: &Lane,
    event: &ParkedEvent,
    failure: &Failure,
    attempts: Attempts,
) -> Result<bool, StoreError> {
    const WHAT: &str = "write down that a parked event has failed again";
    if !lane.lock(session).await? {
        return Ok(false);
    }
    let [consumer, topic, bytes, partition, offset] = lane.values_at(event.place);
    let values = [
        consumer,
        topic,
        bytes,
        partition,
        offset,
        Value::Int(event.attempts.into()),
        Value::Int(attempts.count.into()),
        Value::Text(Some(&failure.cause)),
        Value::Text(Some(&failure.class)),
        Value::Text(Some(&failure.place)),
        Value::Text(Some(&failure.fingerprint)),
        Value::Int(failure.retryable.into()),
        Value::Int(attempts.last_failed_ms),
        Value::MaybeInt(attempts.due_in.map(millis)),
    ];
    let sql = statements(session).parked_failed;
    let updated = session.execute(sql, &values).await.map_err(StoreError::of(WHAT))?;
    lane.refresh(session).await?;
    Ok(updated == 1)
}

/// A person wants the first event of a lane to be tried again: due now, in a transaction of its
/// own. `false`: it does not wait for a person.
pub async fn redrive(session: &mut Session, lane: &Lane) -> Result<bool, StoreError> {
    const WHAT: &str = "let a parked event be tried again";
    if !lane.lock(session).await? {
        return Ok(false);
    }
    let sql = statements(session).parked_redrive;
    let updated = session.execute(sql, &lane.values()).await.map_err(StoreError::of(WHAT))?;
    lane.refresh(session).await?;
    Ok(updated == 1)
}

/// Lanes of these consumers whose first event waits for a person, in the order of their names.
pub async fn waiting_for_people(
    store: &Store,
    consumers: &[String],
    max_lanes: usize,
) -> Result<Vec<Lane>, StoreError> {
    let consumers = json(consumers);
    let limit = Value::Int(i64::try_from(max_lanes).unwrap_or(i64::MAX));
    let rows = store.read(|sql| sql.parked_waiting, &[Value::Text(Some(&consumers)), limit]).await;
    let lanes: Result<Vec<Lane>, sqlx::Error> =
        rows.and_then(|rows| rows.iter().map(lane_of).collect());
    lanes.map_err(StoreError::of("list parked keys"))
}

/// Names as one value, which both databases take.
fn json(names: &[String]) -> String {
    serde_json::Value::from_iter(names.iter().cloned()).to_string()
}

fn lane_of(row: &Row) -> Result<Lane, sqlx::Error> {
    let lane = row.bytes(2)?.unwrap_or_default();
    Ok(Lane { consumer: row.text(0)?, topic: row.text(1)?, lane })
}

const READ: &str = "read a parked event";

fn read(lane: &Lane, row: &Row) -> Result<ParkedEvent, StoreError> {
    let columns = || {
        let failure = match row.maybe_text(10)? {
            None => None,
            Some(cause) => Some(Failure {
                cause,
                class: row.maybe_text(11)?.unwrap_or_default(),
                place: row.maybe_text(12)?.unwrap_or_default(),
                fingerprint: row.maybe_text(13)?.unwrap_or_default(),
                retryable: row.int(14)? != 0,
            }),
        };
        let due_in_ms = row.int(18)?;
        let event = ParkedEvent {
            place: Place { partition: narrow(row.int(0)?), offset: row.int(1)? },
            source: row.text(2)?,
            id: row.text(3)?,
            group: row.text(4)?,
            key: row.bytes(5)?,
            value: row.bytes(6)?,
            headers: Headers::new(),
            timestamp_ms: row.maybe_int(8)?,
            attempts: u32::try_from(row.int(9)?).unwrap_or(u32::MAX),
            failure,
            first_failed_ms: row.maybe_int(15)?,
            last_failed_ms: row.maybe_int(16)?,
            due_in_ms: (row.int(17)? != 0).then_some(due_in_ms),
        };
        Ok((event, row.text(7)?))
    };
    let (event, headers) = columns().map_err(StoreError::of(READ))?;
    let headers = headers::read(&headers).map_err(|wrong| StoreError::Parked {
        address: format!("{}[{}]@{}", lane.topic, event.place.partition, event.place.offset),
        reason: wrong.to_string(),
    })?;
    Ok(ParkedEvent { headers, ..event })
}

/// A partition that somebody has set to nonsense is none of ours.
fn narrow(partition: i64) -> i32 {
    i32::try_from(partition).unwrap_or(-1)
}
