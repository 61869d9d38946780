//! Positions: how far each group of the service is in each partition, by the store's own account.
//! They are written before the group's commit to Kafka, so what Kafka knows is never ahead, unless
//! the store is an older copy of itself or somebody moved the group by another tool.
//!
//! **Never back.** An ordinary write leaves a position where it is or moves it on. Whoever moves it
//! on purpose raises its epoch; a write under an older one is refused, and has to look again.

use crate::connection::{Connection, Row, Value, statements};
use crate::error::StoreError;
use crate::store::Store;

/// How far a group is in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The lowest offset that is not finished.
    pub next: i64,
    /// The cluster that the partition is on, if it says.
    pub cluster_id: Option<String>,
    /// The topic's own id, if it is known: a topic that was created anew has another one.
    pub topic_id: Option<String>,
    /// How often somebody moved it on purpose.
    pub epoch: i64,
}

/// The store's own id, a UUID that its tables were made with. A copy of the database has the same.
pub async fn store_id(store: &Store) -> Result<String, StoreError> {
    let rows = store.read(|sql| sql.store_id, &[]).await;
    let id = rows.and_then(|rows| rows.first().ok_or(sqlx::Error::RowNotFound)?.text(0));
    id.map_err(StoreError::of("read its own id"))
}

/// All positions of a group.
pub async fn of_group(store: &Store, group: &str) -> Result<Vec<Position>, StoreError> {
    const WHAT: &str = "read the positions of a group";
    let rows = store.read(|sql| sql.position_list, &[Value::Text(Some(group))]).await;
    let rows = rows.map_err(StoreError::of(WHAT))?;
    rows.iter().map(|row| position(row).map_err(StoreError::of(WHAT))).collect()
}

/// Writes positions in one transaction of their own: all of them or none. `false`: somebody has
/// moved one of them on purpose since it was read, and nothing was written.
pub async fn keep(store: &Store, group: &str, positions: &[Position]) -> Result<bool, StoreError> {
    const WHAT: &str = "write the positions of a group";
    let mut session = store.begin().await?;
    let sql = statements(&session).position_put;
    // In one order for everybody, so that two who write the same ones do not wait crosswise.
    let mut sorted: Vec<&Position> = positions.iter().collect();
    sorted.sort_by_key(|position| (&position.topic, position.partition));
    for position in sorted {
        let values = [
            Value::Text(Some(group)),
            Value::Text(Some(&position.topic)),
            Value::Int(position.partition.into()),
            Value::Int(position.next),
            Value::Text(position.cluster_id.as_deref()),
            Value::Text(position.topic_id.as_deref()),
            Value::Int(position.epoch),
        ];
        let written = session.execute(sql, &values).await.map_err(StoreError::of(WHAT))?;
        if written == 0 {
            return Ok(false);
        }
    }
    session.commit().await?;
    Ok(true)
}

fn position(row: &Row) -> Result<Position, sqlx::Error> {
    let partition = i32::try_from(row.int(1)?);
    Ok(Position {
        topic: row.text(0)?,
        partition: partition.map_err(|error| sqlx::Error::Decode(error.into()))?,
        next: row.int(2)?,
        cluster_id: row.maybe_text(3)?,
        topic_id: row.maybe_text(4)?,
        epoch: row.int(5)?,
    })
}
