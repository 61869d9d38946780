//! The store of a service at work.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use tidings_store::batch::Batches;
use tidings_store::inbox::Looks;
use tidings_store::{Dialect, Store, StoreError};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use super::Beside;
use crate::fail::Fail;
use crate::outbox::{Outbox, OutboxError};
use crate::relay::Relay;

mod acts;
mod args;
mod case;
mod door;
mod drain;
mod flight;
mod parking;
mod settle;

pub(crate) use door::Door;

/// The store of a service, and the outbox of what its handlers return.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) store: Store,
    pub(crate) outbox: Outbox,
    together: Arc<OnceLock<Together>>,
}

/// What events do together, so that each costs less.
struct Together {
    looks: Looks,
    batches: Batches,
}

/// The transaction of one attempt.
pub(crate) type Unit = tidings_store::Work;

/// A unit while the handler may hold it.
#[derive(Clone)]
pub(crate) struct Held(Arc<Mutex<Unit>>);

/// A task at work beside the handlers: the relay, or who drains parked keys. Dropped, it stops
/// where it is.
pub(crate) struct Companion {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Companion {
    /// Starts what this makes of the future that is done when it is to stop.
    fn start<F, Fut>(work: F) -> Companion
    where
        F: FnOnce(StopAsked) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel::<()>();
        Companion { stop: Some(stop), task: tokio::spawn(work(StopAsked(stopped))) }
    }

    /// Tells it to take nothing new, and to end what is under way.
    pub(crate) fn tell(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until what is under way has ended.
    pub(crate) async fn stop(mut self) {
        self.tell();
        // Its panics were printed when they happened.
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Told when a companion is to stop.
struct StopAsked(oneshot::Receiver<()>);

impl StopAsked {
    /// Done when it is; again and again then.
    async fn asked(&mut self) {
        if !self.0.is_terminated() {
            // Answered, or its sender gone: both mean stop.
            let _either = (&mut self.0).await;
        }
    }
}

impl Stored {
    pub(crate) fn new(store: Store, outbox: Outbox) -> Stored {
        Stored { store, outbox, together: Arc::default() }
    }

    /// Begun when it is first needed, on the runtime that handlers run on.
    fn together(&self) -> &Together {
        self.together.get_or_init(|| Together {
            looks: Looks::start(&self.store),
            batches: Batches::start(&self.store),
        })
    }

    /// Makes the tables, or brings them to this version. Whoever applies the migrations by himself
    /// need not let the service change tables: nothing is tried then.
    pub(crate) async fn open(&self) -> crate::Result<()> {
        if self.store.require_tables().await.is_err() {
            self.store.migrate().await?;
        }
        Ok(())
    }

    /// Publishes what handlers leave in the outbox.
    pub(crate) fn relay(&self, beside: Beside) -> crate::Result<Companion> {
        let relay = Relay::new(&beside.service, self.store.clone()).woken_by(&self.outbox);
        let run = relay.prepare(beside)?;
        Ok(Companion::start(|mut stop| run.until(async move { stop.asked().await })))
    }

    /// Its database's name, as handlers ask for it.
    pub(crate) fn database(&self) -> &'static str {
        name_of(self.store.dialect())
    }
}

impl Held {
    fn new(unit: Unit) -> Held {
        Held(Arc::new(Mutex::new(unit)))
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

fn name_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SQLite",
        Dialect::Postgres => "PostgreSQL",
    }
}

/// A database that is away, or has chosen this transaction as a victim, is no fault of the event.
/// Any other refusal may be the handler's doing, as when it swallowed the error of a statement.
fn failed(error: impl Into<Arc<StoreError>>) -> Fail {
    let error = error.into();
    if error.is_retryable() { Fail::down(error) } else { Fail::retry(error) }
}

fn refused(error: OutboxError) -> Fail {
    match error {
        OutboxError::Store(error) => failed(error),
        other => Fail::reject(other),
    }
}
