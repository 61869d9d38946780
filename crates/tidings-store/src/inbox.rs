//! The inbox: which handler is done with which event. Its row is written last in the transaction
//! in which the event is handled, and whoever writes it first has handled the event: rows and
//! events of everybody else who tried are rolled back with their transactions.
//!
//! **Why last.** A handler may have swallowed the error of a statement; PostgreSQL has given up
//! such a transaction, and answers its commit with success all the same. A last insert brings the
//! error.

use crate::Store;
use crate::connection::{Connection, Row, Value, statements};
use crate::error::StoreError;
use crate::parking::{Lane, Place};

mod looks;
mod many;

pub use looks::Looks;
pub(crate) use many::insert_done;

/// One event for one handler, and what it keeps its order with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The handler's lane that it is in.
    pub lane: Lane,
    /// The event's source.
    pub source: String,
    /// The event's id, unique within its source.
    pub id: String,
    /// Where it lay.
    pub place: Place,
    /// When it was recorded first, else when it happened; milliseconds since 1970.
    pub time_ms: Option<i64>,
}

impl Event {
    /// What its row says.
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            consumer: &self.lane.consumer,
            source: &self.source,
            id: &self.id,
            topic: &self.lane.topic,
            partition: self.place.partition,
            offset: self.place.offset,
            time_ms: self.time_ms,
        }
    }
}

/// One event for one handler, as its row names it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// `service/handler`. Another name is another consumer, which handles everything anew.
    pub consumer: &'a str,
    /// The event's source.
    pub source: &'a str,
    /// The event's id, unique within its source.
    pub id: &'a str,
    /// Where it came from.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When it was recorded first, else when it happened; milliseconds since 1970.
    pub time_ms: Option<i64>,
}

/// What the store knows of an event for a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: it may be handled.
    New,
    /// The handler is done with it, or has parked it.
    Known,
    /// An earlier event of its lane is parked: it has to wait behind that one.
    Behind,
}

impl Standing {
    /// By its number in the statements.
    fn of(number: i64) -> Standing {
        match number {
            0 => Standing::New,
            1 => Standing::Known,
            _ => Standing::Behind,
        }
    }
}

/// How it ended for a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Handled.
    Done,
    /// It waits in the tables of [`parking`](crate::parking).
    Parked,
    /// A person has given it up.
    Discarded,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Parked => "parked",
            Outcome::Discarded => "discarded",
        }
    }
}

/// How the event stands. Read outside of any transaction: *new* and *behind* may be too old when
/// they arrive, *known* is for ever.
pub async fn look(store: &Store, entry: &Entry<'_>, lane: &Lane) -> Result<Standing, StoreError> {
    standing(store.read(|sql| sql.inbox_look, &asked(entry, lane)).await)
}

/// How the event stands in the connection's transaction.
pub(crate) async fn look_in(
    connection: &mut impl Connection,
    event: &Event,
) -> Result<Standing, StoreError> {
    let sql = statements(connection).inbox_look;
    standing(connection.rows(sql, &asked(&event.entry(), &event.lane)).await)
}

fn asked<'a>(entry: &Entry<'a>, lane: &'a Lane) -> [Value<'a>; 5] {
    let [consumer, source, id] =
        [entry.consumer, entry.source, entry.id].map(|text| Value::Text(Some(text)));
    let [_, topic, bytes] = lane.values();
    [consumer, source, id, topic, bytes]
}

fn standing(rows: Result<Vec<Row>, sqlx::Error>) -> Result<Standing, StoreError> {
    let number = rows.and_then(|rows| rows.first().ok_or(sqlx::Error::RowNotFound)?.int(0));
    number.map(Standing::of).map_err(StoreError::of("look into the inbox"))
}

/// Writes the row as the last one of the connection's transaction. `false`: somebody else was
/// first, and the transaction has to be rolled back.
///
/// On PostgreSQL it waits for a transaction that has written the same row and not ended.
pub async fn insert(
    connection: &mut impl Connection,
    entry: &Entry<'_>,
    outcome: Outcome,
) -> Result<bool, StoreError> {
    let sql = statements(connection).inbox_insert;
    let values = [
        Value::Text(Some(entry.consumer)),
        Value::Text(Some(entry.source)),
        Value::Text(Some(entry.id)),
        Value::Text(Some(outcome.as_str())),
        Value::Text(Some(entry.topic)),
        Value::Int(entry.partition.into()),
        Value::Int(entry.offset),
        Value::MaybeInt(entry.time_ms),
    ];
    let inserted = connection.execute(sql, &values).await;
    Ok(inserted.map_err(StoreError::of("write into the inbox"))? == 1)
}

/// A parked event has come to its end: the last statement of the connection's transaction.
/// `false`: it is not parked, and the transaction has to be rolled back.
pub async fn settle(
    connection: &mut impl Connection,
    consumer: &str,
    source: &str,
    id: &str,
    outcome: Outcome,
) -> Result<bool, StoreError> {
    let sql = statements(connection).inbox_settle;
    let values = [consumer, source, id, outcome.as_str()].map(|text| Value::Text(Some(text)));
    let updated = connection.execute(sql, &values).await;
    Ok(updated.map_err(StoreError::of("write into the inbox"))? == 1)
}
