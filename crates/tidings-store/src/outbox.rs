//! The outbox: events as rows of the transaction that they belong to. The transaction is the
//! user's, with whatever else it writes; either all of it is there or nothing.
//!
//! **Order.** Within a key, positions are in the order of commits. PostgreSQL takes the key's lock
//! before the position, in one statement, and holds it until the transaction ends; SQLite has one
//! writer. So a row that can be seen implies that every earlier row of its key can be seen too, or
//! never will be. Transactions that publish several keys in opposite orders can deadlock on
//! PostgreSQL: a retriable error for one of them.

use bytes::Bytes;

use crate::connection::{Connection, Value, statements};
use crate::error::StoreError;
use crate::headers;
use crate::limits::SLOTS;

/// An event as a row to be.
#[derive(Clone, Copy, Debug)]
pub struct NewRow<'a> {
    /// A UUID in its usual text form: the event's id, or one derived from it.
    pub id: &'a str,
    /// The topic that it will be published to.
    pub topic: &'a str,
    /// The record's key. Events without one have no order among each other.
    pub key: Option<&'a [u8]>,
    /// The event's type, for those who look into the table.
    pub ty: &'a str,
    /// The record's value.
    pub payload: Option<&'a [u8]>,
    /// The record's headers.
    pub headers: &'a [(String, Option<Bytes>)],
}

/// Writes rows into the connection's transaction. The answer is their positions, in the order of
/// `rows`.
///
/// Keys are taken in their own order, so that two transactions that publish the same keys do not
/// wait for each other crosswise; the rows of a key stay in the order in which they are given.
///
/// Dropping the future leaves the transaction with some of the rows: roll it back.
pub async fn insert(
    connection: &mut impl Connection,
    rows: &[NewRow<'_>],
) -> Result<Vec<i64>, StoreError> {
    const WHAT: &str = "write an event into the outbox";
    let sql = statements(connection).outbox_insert;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&index| (rows[index].topic, rows[index].key));
    let mut positions = vec![0; rows.len()];
    for index in order {
        let row = &rows[index];
        // For people, Debezium and the lock; PostgreSQL's texts hold no zero bytes.
        let key_text = row.key.map(|key| String::from_utf8_lossy(key).replace('\0', "\u{fffd}"));
        let all = row.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        let headers = headers::write(all);
        let values = [
            Value::Text(Some(row.id)),
            Value::Text(Some(row.topic)),
            Value::Text(key_text.as_deref()),
            Value::Text(Some(row.ty)),
            Value::Bytes(row.payload),
            Value::Bytes(row.key),
            Value::Text(Some(&headers)),
            Value::Int(slot_of(row)),
        ];
        let answer = connection.rows(sql, &values).await.map_err(StoreError::of(WHAT))?;
        let position = answer.first().ok_or(sqlx::Error::RowNotFound).and_then(|row| row.int(0));
        positions[index] = position.map_err(StoreError::of(WHAT))?;
    }
    Ok(positions)
}

/// All events of a key are in one slot; those without a key are spread by their ids.
fn slot_of(row: &NewRow<'_>) -> i64 {
    let spread = row.key.unwrap_or(row.id.as_bytes());
    let parts = [row.topic.as_bytes(), &[0x1f], spread];
    let hash = fnv_1a(parts.into_iter().flatten());
    // The upper bits, folded in, since the lowest ones of FNV mix least.
    ((hash ^ (hash >> 32)) % SLOTS as u64) as i64
}

/// FNV-1a of 64 bits, after Fowler, Noll and Vo (RFC 9923): the same in every process and version.
fn fnv_1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // From the test vectors of its authors.
        assert_eq!(fnv_1a(b"".iter()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"a".iter()), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv_1a(b"foobar".iter()), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_key_stays_in_its_slot_and_keys_spread() {
        let row = |id: &'static str, key: Option<&'static [u8]>| NewRow {
            id,
            topic: "orders",
            key,
            ty: "t",
            payload: None,
            headers: &[],
        };
        assert_eq!(slot_of(&row("a", Some(b"1042"))), slot_of(&row("b", Some(b"1042"))));
        let mut counts = [0; SLOTS as usize];
        for n in 0..16_000 {
            let key = format!("order-{n}").leak();
            counts[slot_of(&row("", Some(key.as_bytes()))) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
