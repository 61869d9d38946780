//! The inbox: which handler is done with which event. Its row is written last in the transaction
//! in which the event is handled, and whoever writes it first has handled the event: rows and
//! events of everybody else who tried are rolled back with their transactions.
//!
//! **Why last.** A handler may have swallowed the error of a statement; PostgreSQL has given up
//! such a transaction, and answers its commit with success all the same. A last insert brings the
//! error.

use crate::Store;
use crate::connection::{Connection, Value, statements};
use crate::error::StoreError;

/// One event for one handler.
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

/// Is this handler done with the event? Read outside of any transaction: *no* may be too old when
/// it arrives, *yes* is for ever.
pub async fn knows(store: &Store, entry: &Entry<'_>) -> Result<bool, StoreError> {
    let values = [entry.consumer, entry.source, entry.id].map(|text| Value::Text(Some(text)));
    let rows = store.read(|sql| sql.inbox_outcome, &values).await;
    Ok(!rows.map_err(StoreError::of("look into the inbox"))?.is_empty())
}

/// Writes the row as the last one of the connection's transaction. `false`: somebody else has
/// handled the event, and the transaction has to be rolled back.
///
/// On PostgreSQL it waits for a transaction that has written the same row and not ended.
pub async fn insert(
    connection: &mut impl Connection,
    entry: &Entry<'_>,
) -> Result<bool, StoreError> {
    let sql = statements(connection).inbox_insert;
    let values = [
        Value::Text(Some(entry.consumer)),
        Value::Text(Some(entry.source)),
        Value::Text(Some(entry.id)),
        Value::Text(Some(entry.topic)),
        Value::Int(entry.partition.into()),
        Value::Int(entry.offset),
        Value::MaybeInt(entry.time_ms),
    ];
    let inserted = connection.execute(sql, &values).await;
    Ok(inserted.map_err(StoreError::of("write into the inbox"))? == 1)
}
