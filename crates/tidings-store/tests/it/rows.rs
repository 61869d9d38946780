//! Rows to publish.

use tidings_store::outbox::{NewRow, insert};
use tidings_store::{Connection, Store};

/// A row with a text for its value.
pub fn row<'a>(topic: &'a str, key: Option<&'a str>, value: &'a str) -> NewRow<'a> {
    NewRow {
        id: "01890000-0000-7000-8000-000000000000",
        topic,
        key: key.map(str::as_bytes),
        ty: "com.example.thing.v1",
        payload: Some(value.as_bytes()),
        headers: &[],
    }
}

/// Publishes rows in a transaction of their own; the answer is their positions.
pub async fn publish(store: &Store, rows: &[NewRow<'_>]) -> Vec<i64> {
    let mut session = store.begin().await.unwrap();
    let positions = publish_in(&mut session, rows).await;
    session.commit().await.unwrap();
    positions
}

pub async fn publish_in(connection: &mut impl Connection, rows: &[NewRow<'_>]) -> Vec<i64> {
    insert(connection, rows).await.unwrap()
}
