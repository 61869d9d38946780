//! Parking: an event that its handler cannot handle now waits in the service's own tables, and the
//! later events of its key behind it, so that all other keys go on and the order of this one stays.
//! A delayed attempt is a parked event with a time at which it is due; one without waits for a
//! person. [`drain`] handles them after all.
//!
//! **Order.** The first event of a lane is the one that was parked first: not the one of the lowest
//! offset, since a key may have copies in two partitions, after partitions were added say. Who
//! parks and who drains takes the lock of the lane's row first, in the transaction that changes
//! something. Whoever handles an event as it comes looks for that row inside of its transaction
//! ([`Gate`](crate::Gate)), so that no event passes one that was parked before it.

use std::time::Duration;

use crate::connection::{Connection, Row, Value, statements};
use crate::error::StoreError;
use crate::headers::{self, Headers};
use crate::inbox::{self, Entry, Outcome};
use crate::limits::{COUNTED_ROWS, millis};
use crate::store::{Session, Store};

pub mod drain;

/// What keeps its order: a handler's events of one key of a topic, or one event alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// `service/handler`.
    pub consumer: String,
    /// The topic.
    pub topic: String,
    /// What tells this lane from the consumer's others on the topic, in at most 300 bytes.
    pub lane: Vec<u8>,
}

/// Where an event lay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// Why an event could not be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error's sentence.
    pub cause: String,
    /// The kind of error.
    pub class: String,
    /// Where in the code it was said.
    pub place: String,
    /// The same for failures of one kind.
    pub fingerprint: String,
    /// Could another attempt help?
    pub retryable: bool,
}

/// An event that goes into the store, as it came.
#[derive(Clone, Debug)]
pub struct Parcel<'a> {
    /// The consumer group.
    pub group: &'a str,
    /// The record's key.
    pub key: Option<&'a [u8]>,
    /// The record's value.
    pub value: Option<&'a [u8]>,
    /// The record's headers.
    pub headers: &'a Headers,
    /// The record's time, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

/// How often it was tried, and when it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// So far.
    pub count: u32,
    /// The first failure, in milliseconds since 1970.
    pub first_failed_ms: i64,
    /// The last failure.
    pub last_failed_ms: i64,
    /// The next attempt from now; none: a person has to look at it.
    pub due_in: Option<Duration>,
}

/// What became of an event that was to be parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parked {
    /// It is the first of its lane, and waits for its next attempt or for a person.
    First,
    /// It waits behind earlier ones, without a failure of its own.
    Behind,
    /// Somebody else has handled or parked it: roll back.
    Elsewhere,
    /// The lane is not parked any more: roll back, and handle it.
    NotParked,
}

/// How many events are parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Of this topic.
    pub topic: String,
    /// So many; with those of all topics not counted beyond 10,000.
    pub events: i64,
    /// The oldest of them, in milliseconds.
    pub oldest_age_ms: i64,
}

/// Parks an event that failed, in the session's transaction.
pub async fn park(
    session: &mut Session,
    entry: &Entry<'_>,
    lane: &Lane,
    parcel: &Parcel<'_>,
    failure: &Failure,
    attempts: Attempts,
) -> Result<Parked, StoreError> {
    let sql = statements(session).parked_key_put;
    session.execute(sql, &lane.values()).await.map_err(StoreError::of(PARK))?;
    if lane.has_any(session).await? {
        // Whatever it failed of, it was not its turn.
        return put(session, entry, lane, parcel, None).await;
    }
    put(session, entry, lane, parcel, Some((failure, attempts))).await
}

/// Parks an event behind those that are parked, in the session's transaction.
pub async fn park_behind(
    session: &mut Session,
    entry: &Entry<'_>,
    lane: &Lane,
    parcel: &Parcel<'_>,
) -> Result<Parked, StoreError> {
    match lane.lock(session).await? {
        true => put(session, entry, lane, parcel, None).await,
        false => Ok(Parked::NotParked),
    }
}

/// The parked events of each topic.
pub async fn depths(store: &Store) -> Result<Vec<Depth>, StoreError> {
    const WHAT: &str = "count its parked events";
    let rows = store.read(|sql| sql.parked_status, &[Value::Int(COUNTED_ROWS)]).await;
    let one = |row: &Row| {
        Ok(Depth { topic: row.text(0)?, events: row.int(1)?, oldest_age_ms: row.int(2)? })
    };
    let all: Result<Vec<Depth>, sqlx::Error> = rows.and_then(|rows| rows.iter().map(one).collect());
    all.map_err(StoreError::of(WHAT))
}

/// The topics and groups of events that have failed, as far as the first 10,000 tell.
pub async fn topics_and_groups(store: &Store) -> Result<Vec<(String, String)>, StoreError> {
    const WHAT: &str = "look at its parked events";
    let rows = store.read(|sql| sql.parked_topics, &[Value::Int(COUNTED_ROWS)]).await;
    let one = |row: &Row| Ok((row.text(0)?, row.text(1)?));
    let all: Result<Vec<_>, sqlx::Error> = rows.and_then(|rows| rows.iter().map(one).collect());
    all.map_err(StoreError::of(WHAT))
}

const PARK: &str = "park an event";

impl Lane {
    /// Consumer, topic and lane, as every statement begins.
    pub(crate) fn values(&self) -> [Value<'_>; 3] {
        [
            Value::Text(Some(&self.consumer)),
            Value::Text(Some(&self.topic)),
            Value::Bytes(Some(&self.lane)),
        ]
    }

    fn values_at(&self, place: Place) -> [Value<'_>; 5] {
        let [consumer, topic, lane] = self.values();
        [consumer, topic, lane, Value::Int(place.partition.into()), Value::Int(place.offset)]
    }

    /// Takes the lane's lock until the transaction ends; `false`: it is not parked.
    pub(crate) async fn lock(&self, session: &mut Session) -> Result<bool, StoreError> {
        let sql = statements(session).parked_key_lock;
        let found = session.rows(sql, &self.values()).await;
        Ok(!found.map_err(StoreError::of("look whether the key is parked"))?.is_empty())
    }

    async fn has_any(&self, session: &mut Session) -> Result<bool, StoreError> {
        let sql = statements(session).parked_any;
        let found = session.rows(sql, &self.values()).await;
        Ok(!found.map_err(StoreError::of(PARK))?.is_empty())
    }

    /// Brings the lane's row up to its first event, or away with the last one. Needs the lock.
    async fn refresh(&self, session: &mut Session) -> Result<(), StoreError> {
        let sql = statements(session);
        for statement in [sql.parked_key_drop, sql.parked_key_refresh] {
            let done = session.execute(statement, &self.values()).await;
            done.map_err(StoreError::of(PARK))?;
        }
        Ok(())
    }
}

/// Writes the rows; the lane's lock is held.
async fn put(
    session: &mut Session,
    entry: &Entry<'_>,
    lane: &Lane,
    parcel: &Parcel<'_>,
    failed: Option<(&Failure, Attempts)>,
) -> Result<Parked, StoreError> {
    if !inbox::insert(session, entry, Outcome::Parked).await? {
        return Ok(Parked::Elsewhere);
    }
    let all = parcel.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
    let headers = headers::write(all);
    let (failure, attempts) = failed.unzip();
    let text = |of: fn(&Failure) -> &str| Value::Text(failure.map(of));
    let [consumer, topic, bytes] = lane.values();
    let values = [
        consumer,
        topic,
        bytes,
        Value::Int(entry.partition.into()),
        Value::Int(entry.offset),
        Value::Text(Some(entry.source)),
        Value::Text(Some(entry.id)),
        Value::Text(Some(parcel.group)),
        Value::Bytes(parcel.key),
        Value::Bytes(parcel.value),
        Value::Text(Some(&headers)),
        Value::MaybeInt(parcel.timestamp_ms),
        Value::Int(attempts.map_or(0, |attempts| attempts.count.into())),
        text(|failure| &failure.cause),
        text(|failure| &failure.class),
        text(|failure| &failure.place),
        text(|failure| &failure.fingerprint),
        Value::Int(failure.is_none_or(|failure| failure.retryable).into()),
        Value::MaybeInt(attempts.map(|attempts| attempts.first_failed_ms)),
        Value::MaybeInt(attempts.map(|attempts| attempts.last_failed_ms)),
        // One that only waits is due as soon as it is the first.
        Value::MaybeInt(attempts.map_or(Some(0), |attempts| attempts.due_in.map(millis))),
    ];
    let sql = statements(session).parked_put;
    session.execute(sql, &values).await.map_err(StoreError::of(PARK))?;
    lane.refresh(session).await?;
    Ok(if failure.is_some() { Parked::First } else { Parked::Behind })
}
