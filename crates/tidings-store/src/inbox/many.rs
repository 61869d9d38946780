//! Many events in one statement, handed over as JSON, which both databases take apart by
//! themselves: `[[consumer, source, id, topic, lane in hex, partition, offset, time], ...]`.

use super::Event;
use crate::connection::{Connection, Value, statements};
use crate::error::StoreError;

/// Writes that these events are done, each unless its lane is parked or somebody else has written
/// its row. The answer is how many were written.
pub(crate) async fn insert_done<'a>(
    connection: &mut impl Connection,
    events: impl IntoIterator<Item = &'a Event>,
) -> Result<u64, StoreError> {
    let sql = statements(connection).inbox_insert_many;
    let events = as_json(events);
    let inserted = connection.execute(sql, &[Value::Text(Some(&events))]).await;
    inserted.map_err(StoreError::of("write into the inbox"))
}

/// The text that the statements for many events take.
pub(super) fn as_json<'a>(events: impl IntoIterator<Item = &'a Event>) -> String {
    let all: Vec<_> = events
        .into_iter()
        .map(|event| {
            let (lane, place) = (&event.lane, event.place);
            let names = (&lane.consumer, &event.source, &event.id, &lane.topic, hex(&lane.lane));
            (
                names.0,
                names.1,
                names.2,
                names.3,
                names.4,
                place.partition,
                place.offset,
                event.time_ms,
            )
        })
        .collect();
    serde_json::to_string(&all).expect("texts and numbers are always JSON")
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)] as char);
    bytes.iter().flat_map(digits).collect()
}
