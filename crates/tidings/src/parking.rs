//! Parked keys in people's hands, for programs that have the service's store: which keys wait, why,
//! and how their first event is tried again. Behind the features `sqlite` and `postgres`.
//!
//! A key is parked when one of its events cannot be handled: that one is tried again by itself, and
//! when nothing helps it waits for a person, with the key's later events behind it.

use tidings_store::parking::Lane;
use tidings_store::parking::drain;

use crate::address::{Offset, PartitionId, RecordAddress};
use crate::outbox::{Store, StoreError};

/// A key whose first event waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingKey {
    /// Where its first event lay.
    pub address: RecordAddress,
    /// The record's key; without one the event waits alone.
    pub key: Option<Vec<u8>>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it could not be handled.
    pub cause: String,
    lane: Lane,
}

/// The keys that wait for a person with this handler of this service, at most so many.
pub async fn waiting(
    store: &Store,
    service: &str,
    handler: &str,
    max_keys: usize,
) -> Result<Vec<WaitingKey>, StoreError> {
    let consumers = [format!("{service}/{handler}")];
    let lanes = drain::waiting_for_people(store, &consumers, max_keys).await?;
    let mut keys = Vec::with_capacity(lanes.len());
    for lane in lanes {
        // One that was drained in between waits no more.
        let Some(first) = drain::head(store, &lane).await? else { continue };
        keys.push(WaitingKey {
            address: RecordAddress {
                topic: lane.topic.clone(),
                partition: PartitionId(first.place.partition),
                offset: Offset(first.place.offset),
            },
            key: first.key,
            attempts: first.attempts,
            cause: first.failure.map(|failure| failure.cause).unwrap_or_default(),
            lane,
        });
    }
    Ok(keys)
}

/// Lets the key's first event be tried again by an instance of the service that runs or will; if it
/// is handled, those behind it follow in order. `false`: it does not wait any more.
pub async fn redrive(store: &Store, key: &WaitingKey) -> Result<bool, StoreError> {
    let mut session = store.begin().await?;
    let is_due = drain::redrive(&mut session, &key.lane).await?;
    session.commit().await?;
    Ok(is_due)
}
