//! What waits in the outbox, and what becomes of it: acknowledged rows go, and a row that cannot be
//! published holds its key (or its topic, or itself alone) until it is tried again. Rows are never
//! updated, so that Debezium and other readers of the table see inserts only.

use std::time::Duration;

use crate::connection::{Connection, Row, Value, statements};
use crate::error::StoreError;
use crate::headers::{self, Headers};
use crate::limits::{COUNTED_ROWS, NEXT_DUE_MAX};
use crate::slots::{Holder, Lease, json};
use crate::store::Store;

/// An event that waits to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRow {
    /// Its place in the order of its key.
    pub position: i64,
    /// Which part of the outbox it is in.
    pub slot: i64,
    /// Where it goes.
    pub topic: String,
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The record's value.
    pub payload: Option<Vec<u8>>,
    /// The record's headers.
    pub headers: Headers,
}

/// How much waits behind a row that cannot be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldScope {
    /// All of its topic: the topic is missing, or may not be written.
    Topic,
    /// Its key: the event itself is at fault.
    Key,
    /// Nothing else: it has no key.
    Row,
}

/// A row whose time to be tried again has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRow {
    /// The row, unless somebody has deleted it.
    pub row: Option<WaitingRow>,
    /// Its position.
    pub position: i64,
    /// How often it was tried.
    pub attempts: i64,
}

/// What is held, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// The row that cannot be published.
    pub position: i64,
    /// Where it should go.
    pub topic: String,
    /// How much waits behind it: `topic`, `key` or `row`.
    pub scope: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Why, as a sentence.
    pub cause: String,
    /// How often it was tried.
    pub attempts: i64,
    /// For how long, in milliseconds.
    pub held_for_ms: i64,
    /// Until it is tried again, in milliseconds; below zero it is due.
    pub next_try_in_ms: i64,
}

/// An outbox at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Rows that wait; not counted beyond 10,000, which then means "at least".
    pub pending: i64,
    /// The age of the oldest one, in milliseconds; none without rows.
    pub oldest_age_ms: Option<i64>,
    /// Rows that hold a key, a topic or themselves.
    pub held: i64,
}

impl HeldScope {
    fn as_str(self) -> &'static str {
        match self {
            HeldScope::Topic => "topic",
            HeldScope::Key => "key",
            HeldScope::Row => "row",
        }
    }
}

/// The first rows of these slots that nothing holds, by position: at most `max_rows`, and not more
/// once they have come to `max_bytes`.
pub async fn waiting(
    store: &Store,
    leases: &[Lease],
    max_rows: usize,
    max_bytes: usize,
) -> Result<Vec<WaitingRow>, StoreError> {
    let slots = json(leases.iter().map(|lease| lease.slot));
    let values = [
        Value::Text(Some(&slots)),
        Value::Int(max_rows as i64),
        Value::Int(i64::try_from(max_bytes).unwrap_or(i64::MAX)),
    ];
    let rows =
        store.read(|sql| sql.backlog_waiting, &values).await.map_err(StoreError::of(READ))?;
    rows.iter().map(waiting_row).collect()
}

/// Deletes rows that the broker has acknowledged, if their slots are still this holder's. The
/// answer is how many.
pub async fn acknowledged(
    store: &Store,
    holder: &Holder,
    leases: &[Lease],
    positions: &[i64],
) -> Result<u64, StoreError> {
    const WHAT: &str = "delete published events from the outbox";
    let mut session = store.begin().await?;
    let slots = json(holder.keep(&mut session, leases).await?);
    let positions = json(positions.iter().copied());
    let values = [Value::Text(Some(&positions)), Value::Text(Some(&slots))];
    let sql = statements(&session).backlog_delete;
    let deleted = session.execute(sql, &values).await.map_err(StoreError::of(WHAT))?;
    session.commit().await?;
    Ok(deleted)
}

/// Holds what belongs to this row back, until it is tried again after `delay`. Nothing happens if
/// its slot is no longer this holder's. Held again, the row keeps its first time and counts one
/// attempt more.
pub async fn hold(
    store: &Store,
    holder: &Holder,
    leases: &[Lease],
    row: &WaitingRow,
    scope: HeldScope,
    cause: &str,
    delay: Duration,
) -> Result<(), StoreError> {
    let mut session = store.begin().await?;
    if !holder.keep(&mut session, leases).await?.contains(&row.slot) {
        return Ok(());
    }
    let key = row.key.as_deref().filter(|_| scope == HeldScope::Key);
    let values = [
        Value::Int(row.position),
        Value::Int(row.slot),
        Value::Text(Some(&row.topic)),
        Value::Text(Some(scope.as_str())),
        Value::Bytes(key),
        Value::Text(Some(cause)),
        Value::Int(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)),
    ];
    let sql = statements(&session).held_put;
    session.execute(sql, &values).await.map_err(StoreError::of("hold an event of the outbox"))?;
    session.commit().await
}

/// Those that are held in these slots and are to be tried now, at most `max_rows`.
pub async fn due(
    store: &Store,
    leases: &[Lease],
    max_rows: usize,
) -> Result<Vec<DueRow>, StoreError> {
    let slots = json(leases.iter().map(|lease| lease.slot));
    let values = [Value::Text(Some(&slots)), Value::Int(max_rows as i64)];
    let held = store.read(|sql| sql.held_due, &values).await.map_err(StoreError::of(READ))?;
    let mut due = Vec::with_capacity(held.len());
    for row in held {
        let (position, attempts) = read(|| Ok((row.int(0)?, row.int(1)?)))?;
        let found = store.read(|sql| sql.backlog_row, &[Value::Int(position)]).await;
        let row = found.map_err(StoreError::of(READ))?.first().map(waiting_row).transpose()?;
        due.push(DueRow { row, position, attempts });
    }
    Ok(due)
}

/// The row was published, or is gone: what waited behind it may go on. The row goes with it.
pub async fn let_go(
    store: &Store,
    holder: &Holder,
    leases: &[Lease],
    position: i64,
) -> Result<(), StoreError> {
    const WHAT: &str = "let an event of the outbox go";
    let mut session = store.begin().await?;
    let slots = json(holder.keep(&mut session, leases).await?);
    if slots == "[]" {
        return Ok(());
    }
    let one = json([position]);
    let values = [Value::Text(Some(&one)), Value::Text(Some(&slots))];
    let sql = statements(&session);
    session.execute(sql.backlog_delete, &values).await.map_err(StoreError::of(WHAT))?;
    let held = [Value::Int(position), Value::Text(Some(&slots))];
    let dropped = session.execute(sql.held_drop, &held).await;
    dropped.map_err(StoreError::of(WHAT))?;
    session.commit().await
}

/// How long until the next held row of these slots is due; an hour at most.
pub async fn next_due_in(store: &Store, leases: &[Lease]) -> Result<Duration, StoreError> {
    let slots = json(leases.iter().map(|lease| lease.slot));
    let rows = store.read(|sql| sql.held_next, &[Value::Text(Some(&slots))]).await;
    Ok(Duration::from_millis(first(rows, READ)?.max(0).unsigned_abs()).min(NEXT_DUE_MAX))
}

/// The outbox at a glance.
pub async fn status(store: &Store) -> Result<Status, StoreError> {
    const WHAT: &str = "say how the outbox is";
    let pending = store.read(|sql| sql.backlog_count, &[Value::Int(COUNTED_ROWS)]).await;
    let age = store.read(|sql| sql.backlog_age, &[]).await;
    let held = store.read(|sql| sql.held_count, &[]).await;
    let (pending, age, held) = (first(pending, WHAT)?, first(age, WHAT)?, first(held, WHAT)?);
    Ok(Status { pending, oldest_age_ms: (age >= 0).then_some(age), held })
}

/// What is held, the oldest position first.
pub async fn held(store: &Store, max_rows: usize) -> Result<Vec<HeldRow>, StoreError> {
    let rows = store.read(|sql| sql.held_list, &[Value::Int(max_rows as i64)]).await;
    let rows = rows.map_err(StoreError::of(READ))?;
    let one = |row: &Row| {
        Ok(HeldRow {
            position: row.int(0)?,
            topic: row.text(1)?,
            scope: row.text(2)?,
            key: row.bytes(3)?,
            cause: row.text(4)?,
            attempts: row.int(5)?,
            held_for_ms: row.int(6)?,
            next_try_in_ms: row.int(7)?,
        })
    };
    rows.iter().map(|row| read(|| one(row))).collect()
}

const READ: &str = "read the outbox";

fn read<T>(columns: impl FnOnce() -> Result<T, sqlx::Error>) -> Result<T, StoreError> {
    columns().map_err(StoreError::of(READ))
}

fn first(rows: Result<Vec<Row>, sqlx::Error>, what: &'static str) -> Result<i64, StoreError> {
    let number = rows.and_then(|rows| rows.first().ok_or(sqlx::Error::RowNotFound)?.int(0));
    number.map_err(StoreError::of(what))
}

fn waiting_row(row: &Row) -> Result<WaitingRow, StoreError> {
    let (position, slot) = read(|| Ok((row.int(0)?, row.int(1)?)))?;
    let text = read(|| row.text(5))?;
    let headers = headers::read(&text)
        .map_err(|wrong| StoreError::Row { position, reason: wrong.to_string() })?;
    read(|| {
        let (topic, key, payload) = (row.text(2)?, row.bytes(3)?, row.bytes(4)?);
        Ok(WaitingRow { position, slot, topic, key, payload, headers })
    })
}
