//! The store of a service at work.

use std::sync::Arc;

use tidings_store::inbox::{self, Entry};
use tidings_store::{Backend, Dialect, Store, StoreError, Tx};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use super::{Beside, Mark, Settled};
use crate::events::{DraftError, Ready, Stamp};
use crate::fail::Fail;
use crate::handler::{Context, Ended, FromEvent, Needs};
use crate::outbox::{Outbox, OutboxError};
use crate::relay::Relay;
use crate::time::Timestamp;

/// The store of a service, and the outbox of what its handlers return.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) store: Store,
    pub(crate) outbox: Outbox,
}

/// The transaction of one attempt.
pub(crate) type Unit = tidings_store::Work;

/// A unit while the handler may hold it.
#[derive(Clone)]
pub(crate) struct Held(Arc<Mutex<Unit>>);

/// A relay at work beside the handlers. Dropped, it stops where it is.
pub(crate) struct Relaying {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Relaying {
    /// Lets it publish what is under way, and give its slots back.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        // Its panics were printed when they happened.
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stored {
    /// Makes the tables, or brings them to this version. Whoever applies the migrations by himself
    /// need not let the service change tables: nothing is tried then.
    pub(crate) async fn open(&self) -> crate::Result<()> {
        if self.store.require_tables().await.is_err() {
            self.store.migrate().await?;
        }
        Ok(())
    }

    /// Publishes what handlers leave in the outbox.
    pub(crate) fn relay(&self, beside: Beside) -> crate::Result<Relaying> {
        let relay = Relay::new(&beside.service, self.store.clone()).woken_by(&self.outbox);
        let run = relay.prepare(beside)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(run.until(async move {
            // Answered, or its sender gone: both mean stop.
            let _either = stopped.await;
        }));
        Ok(Relaying { stop: Some(stop), task })
    }

    /// Its database's name, as handlers ask for it.
    pub(crate) fn database(&self) -> &'static str {
        name_of(self.store.dialect())
    }

    /// Is the handler done with the event?
    pub(crate) async fn knows(&self, mark: &Mark) -> Result<bool, Fail> {
        inbox::knows(&self.store, &mark.entry()).await.map_err(failed)
    }

    /// Writes what the attempt returned and, last, that it was done; then commits.
    pub(crate) async fn settle(
        &self,
        ended: Ended,
        mark: &Mark,
        source: &str,
    ) -> Result<Settled, Fail> {
        let Ended { events, causation, trace, unit } = ended;
        let (now, trace) = (Timestamp::now(), trace.as_ref());
        let stamp = Stamp { source, now, causation: causation.as_deref(), trace };
        let ready: Result<Vec<Ready>, DraftError> =
            events.into_iter().map(|draft| draft.stamp(&stamp)).collect();
        let ready = ready.map_err(Fail::reject)?;
        let mut unit = unit.unwrap_or_else(|| Unit::new(self.store.clone()));
        let session = unit.session().await.map_err(failed)?;
        let ready = self.outbox.write(session, ready).await.map_err(refused)?;
        if !inbox::insert(session, &mark.entry()).await.map_err(failed)? {
            return Ok(Settled::Elsewhere);
        }
        unit.commit().await.map_err(failed)?;
        if !ready.is_empty() {
            self.outbox.ring();
        }
        Ok(Settled::Done(ready))
    }
}

impl Mark {
    fn entry(&self) -> Entry<'_> {
        Entry {
            consumer: &self.consumer,
            source: &self.event.source,
            id: self.event.id.as_str(),
            topic: &self.address.topic,
            partition: self.address.partition.0,
            offset: self.address.offset.0,
            time_ms: self.event.recorded_at().map(Timestamp::as_millis),
        }
    }
}

impl Held {
    pub(crate) fn new(store: &Store) -> Held {
        Held(Arc::new(Mutex::new(Unit::new(store.clone()))))
    }

    /// The unit, when the handler has returned.
    pub(crate) fn back(self, handler: &str) -> Result<Unit, Fail> {
        Arc::into_inner(self.0).map(Mutex::into_inner).ok_or_else(|| {
            Fail::retry(format!(
                "handler `{handler}` returned and kept its Tx, in a task that still runs: nothing \
                 of it was committed. Let the task end first, or give it a transaction of its own"
            ))
        })
    }
}

/// The handler's transaction.
impl<DB: Backend> FromEvent for Tx<DB> {
    const EXCLUSIVE: bool = true;

    fn needs(needs: &mut Needs) {
        needs.database(name_of(DB::DIALECT));
    }

    async fn from_event(cx: &mut Context) -> Result<Tx<DB>, Fail> {
        let cause = cx.causation()?;
        let Some(stored) = &cx.scope.stored else {
            return Err(Fail::reject("a Tx needs a store: add `.store(..)` to the service"));
        };
        let held = cx.held.get_or_insert_with(|| Held::new(&stored.store));
        Tx::lend(&held.0, cause).ok_or_else(|| Fail::reject("one handler asks for two Tx"))
    }
}

/// Writes into the handler's [`Tx`] as this service; what the handler returns goes the same way.
impl FromEvent for Outbox {
    fn needs(needs: &mut Needs) {
        needs.any_database();
    }

    async fn from_event(cx: &mut Context) -> Result<Outbox, Fail> {
        let stored = cx.scope.stored.as_ref();
        let outbox = stored.map(|stored| stored.outbox.clone());
        outbox.ok_or_else(|| Fail::reject("an Outbox needs a store: add `.store(..)`"))
    }
}

fn name_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SQLite",
        Dialect::Postgres => "PostgreSQL",
    }
}

/// A database that is away, or has chosen this transaction as a victim, is no fault of the event.
/// Any other refusal may be the handler's doing, as when it swallowed the error of a statement.
fn failed(error: StoreError) -> Fail {
    if error.is_retryable() { Fail::down(error) } else { Fail::retry(error) }
}

fn refused(error: OutboxError) -> Fail {
    match error {
        OutboxError::Store(error) => failed(error),
        other => Fail::reject(other),
    }
}
