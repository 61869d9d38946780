//! The outbox: events in the same transaction as the rows that they tell of, in any code that has a
//! transaction: an HTTP request, a job, a migration. Either both are there or neither; a
//! [`Relay`](crate::Relay) publishes them afterwards. Behind the features `sqlite` and `postgres`.
//!
//! The tables are the crate `tidings-store`'s; [`Store`] opens them, [`Store::migrate`] makes them.

use std::sync::Arc;

use tidings_store::Connection;
use tidings_store::batch::Carries as _;
use tidings_store::outbox::{NewRow, insert};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::events::{Causation, DraftError, Events, IntoEvents, Ready, Stamp};
use crate::ids::EventId;
use crate::publisher::RawRecord;
use crate::time::Timestamp;
use crate::trace;

pub use tidings_store::backlog::{HeldRow, Status, held, status};
pub use tidings_store::{
    Backend, Dialect, Held, LEASE, Migration, SLOTS, Session, Store, StoreError, Transactional, Tx,
};

mod rows;

use rows::letter_row;
pub(crate) use rows::{Rows, size_bytes};

/// What an event may have in the outbox: what the client publishes at most (`message.max.bytes`),
/// less the record's framing. A larger one would wait for ever and hold its key, so the transaction
/// learns it.
pub const EVENT_MAX_BYTES: usize = 1_048_588 - 512;

/// Writes events into the user's transactions.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// use tidings::{Event, Outbox, Store};
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
/// # struct OrderPlaced { order_id: String }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::sqlite("orders.db").await?;
/// store.migrate().await?; // the outbox's tables, beside the service's own
/// let outbox = Outbox::new("/orders");
///
/// let mut tx = store.sqlite_pool().expect("opened as SQLite").begin().await?;
/// sqlx::query("insert into orders (id) values (?)").bind("1042").execute(&mut *tx).await?;
/// outbox.publish(&mut tx, OrderPlaced { order_id: "1042".into() }).await?; // a row, no network
/// tx.commit().await?;
/// # Ok(()) }
/// ```
///
/// **Delivery.** Committed means: published at least once, whatever dies. Rolled back means: never.
///
/// **Order.** The first copies of a key's events appear on its topic in the order in which their
/// transactions committed; there is no order among keys, and none among events without a key.
/// On PostgreSQL transactions that publish the same key wait for each other until they end; those
/// that publish several keys in opposite orders, by several calls, can deadlock, which is a
/// retriable error for one of them.
#[derive(Clone, Debug)]
pub struct Outbox {
    source: Arc<str>,
    bell: Arc<Notify>,
}

/// What was written, for those who want to find it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    ids: Vec<EventId>,
}

/// Why events cannot be written into a transaction. It should be rolled back then: on PostgreSQL it
/// cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The event itself is at fault.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// More than can be published.
    #[error(
        "the event for {topic} has {size_bytes} bytes, more than the {EVENT_MAX_BYTES} that can be \
         published: put large data elsewhere and publish where it is"
    )]
    TooLarge {
        /// The topic.
        topic: String,
        /// Key, value and headers.
        size_bytes: usize,
    },
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OutboxError {
    /// Can the same transaction succeed, done again with nothing changed?
    pub fn is_retryable(&self) -> bool {
        matches!(self, OutboxError::Store(error) if error.is_retryable())
    }
}

impl Outbox {
    /// An outbox whose events come from this source: a URI reference, `/service` by habit.
    pub fn new(source: impl Into<String>) -> Outbox {
        Outbox { source: source.into().into(), bell: Arc::default() }
    }

    /// Writes events into the transaction: an event, a [`Draft`](crate::Draft), or several at once.
    /// They get their ids and times now, and are published after the commit.
    ///
    /// Dropping the future before it is done may leave some of them in the transaction: roll back.
    pub async fn publish<T: Transactional>(
        &self,
        tx: &mut T,
        events: impl IntoEvents,
    ) -> Result<Written, OutboxError> {
        let mut all = Events::new();
        events.push_into(&mut all);
        let trace = trace::current();
        let now = Timestamp::now();
        // In a handler's transaction the handler's event is the cause.
        let causation = tx.cause().and_then(|cause| cause.downcast_ref::<Causation>());
        let stamp = Stamp { source: &self.source, now, causation, trace: trace.as_ref() };
        let ready: Result<Vec<Ready>, DraftError> =
            all.into_iter().map(|draft| draft.stamp(&stamp)).collect();
        let rows = Rows::of(ready?)?;
        self.write(tx.connection(), &rows, None).await?;
        // It cannot be seen before the commit, which nobody tells us of: the relay looks soon, and
        // again a little later.
        self.ring();
        Ok(Written { ids: rows.ready().iter().map(|ready| ready.event.id.clone()).collect() })
    }

    /// The same outbox under another source.
    pub(crate) fn with_source(&self, source: impl Into<String>) -> Outbox {
        Outbox { source: source.into().into(), bell: self.bell() }
    }

    /// Writes rows for events that are stamped already; and for a dead letter in the same breath,
    /// since keys are locked in their order.
    pub(crate) async fn write(
        &self,
        connection: &mut impl Connection,
        rows: &Rows,
        letter: Option<&RawRecord>,
    ) -> Result<(), StoreError> {
        let letter_id = Uuid::now_v7().to_string();
        let letter = letter.map(|letter| letter_row(&letter_id, letter));
        let all: Vec<NewRow<'_>> = rows.rows().into_iter().chain(letter).collect();
        insert(connection, &all).await.map(drop)
    }

    /// Writes the row of a dead letter, which its writer has made small enough.
    pub(crate) async fn write_letter(
        &self,
        connection: &mut impl Connection,
        letter: &RawRecord,
    ) -> Result<(), StoreError> {
        let id = Uuid::now_v7().to_string();
        insert(connection, &[letter_row(&id, letter)]).await.map(drop)
    }

    /// Wakes the relay in the same process.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// What a relay in the same process listens to.
    pub(crate) fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.bell)
    }
}

impl Written {
    /// The ids of the events, in the order in which they were given.
    pub fn ids(&self) -> &[EventId] {
        &self.ids
    }
}
