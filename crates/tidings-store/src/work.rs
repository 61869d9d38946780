//! The unit of work of one attempt at one event: a transaction that begins when it is first asked
//! for, so that nobody holds SQLite's one writer or a connection while it waits for something
//! outside. [`Work`] is the owner's side, [`Tx`] the handler's.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::batch::{Finished, Seat, Verdict};
use crate::connection::{Connection, Row, Transactional, Value, sealed};
use crate::error::StoreError;
use crate::statements::Dialect;
use crate::store::{Session, Store};
use crate::{inbox, outbox};

mod backend;
mod executor;
mod gate;

pub use backend::Backend;
pub use gate::Gate;

/// The database of a [`Tx`] that names none.
#[cfg(feature = "sqlite")]
pub type DefaultDatabase = sqlx::Sqlite;
/// The database of a [`Tx`] that names none.
#[cfg(not(feature = "sqlite"))]
pub type DefaultDatabase = sqlx::Postgres;

/// What events written in this transaction have as their cause; the store does not look inside.
pub type Cause = Arc<dyn Any + Send + Sync>;

/// A transaction that has begun or will. Dropped, it has not happened.
pub struct Work(Place);

enum Place {
    Own(Own),
    InBatch(Seat),
}

/// A transaction for one attempt alone, if its gate lets it begin.
struct Own {
    store: Store,
    gate: Gate,
    idle_max: Option<Duration>,
    session: Option<Session>,
    /// A handler that ignores the error must not get in at its second statement.
    turned_away: bool,
}

impl Work {
    /// A transaction of its own. Nothing has begun.
    ///
    /// PostgreSQL ends it when nothing was said for as long as `idle_max`: a host that is dead, or
    /// a handler that has left it somewhere, must not hold a key's locks for ever.
    pub fn alone(store: Store, gate: Gate, idle_max: Option<Duration>) -> Work {
        Work(Place::Own(Own { store, gate, idle_max, session: None, turned_away: false }))
    }

    /// A part of a transaction for many. Nothing has begun.
    pub fn in_batch(seat: Seat) -> Work {
        Work(Place::InBatch(seat))
    }

    /// The transaction, begun now if it was not.
    ///
    /// # Errors
    /// [`StoreError::NotItsTurn`] if the gate is closed: now, or when it was asked first.
    pub async fn session(&mut self) -> Result<&mut Session, StoreError> {
        match &mut self.0 {
            Place::Own(own) => own.session().await,
            Place::InBatch(seat) => seat.session().await,
        }
    }

    /// Writes the rows of an event that is done, last the mark that it is, and makes all of it
    /// true.
    pub async fn finish(self, finished: Finished) -> Verdict {
        match self.0 {
            Place::Own(own) => own.finish(&finished).await.unwrap_or_else(|error| match error {
                StoreError::NotItsTurn => Verdict::NotItsTurn,
                error => Verdict::Failed(Arc::new(error)),
            }),
            Place::InBatch(seat) => seat.finish(finished).await,
        }
    }

    /// Makes it true; nothing, if nothing was begun.
    ///
    /// # Errors
    /// The database's; and a part of a batch, which does not commit by itself.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.0 {
            Place::Own(Own { session: Some(session), .. }) => session.commit().await,
            Place::Own(_) => Ok(()),
            Place::InBatch(_) => Err(StoreError::NotItsTurn),
        }
    }

    fn has_begun(&self) -> bool {
        match &self.0 {
            Place::Own(own) => own.session.is_some(),
            Place::InBatch(seat) => seat.has_begun(),
        }
    }
}

impl Own {
    async fn session(&mut self) -> Result<&mut Session, StoreError> {
        if self.turned_away {
            return Err(StoreError::NotItsTurn);
        }
        match &mut self.session {
            Some(session) => Ok(session),
            none => {
                let mut session = self.store.begin_idle_max(self.idle_max).await?;
                if !self.gate.pass(&mut session).await? {
                    self.turned_away = true;
                    return Err(StoreError::NotItsTurn);
                }
                Ok(none.insert(session))
            }
        }
    }

    async fn finish(mut self, finished: &Finished) -> Result<Verdict, StoreError> {
        let session = self.session().await?;
        outbox::insert(session, &finished.rows.rows()).await?;
        if !inbox::insert(session, &finished.event.entry(), inbox::Outcome::Done).await? {
            return Ok(Verdict::Elsewhere);
        }
        if let Some(session) = self.session {
            session.commit().await?;
        }
        Ok(Verdict::Done)
    }
}

/// A handler's transaction, an argument behind the event: its statements, the events that the
/// handler publishes and the mark that the event was handled commit together or not at all.
///
/// It begins at the first statement. `&mut tx` and `&mut *tx` are sqlx executors; functions that
/// take a connection get it from [`conn`](Held::conn). Only the service commits it, when the
/// handler has returned `Ok`: an error, a time-out or a cancelled attempt rolls it back.
///
/// It must be gone when the handler returns: one that was moved into a task that still runs fails
/// the attempt, and never commits.
pub struct Tx<DB: Backend = DefaultDatabase> {
    held: Held<DB>,
}

/// What a [`Tx`] dereferences to.
pub struct Held<DB: Backend> {
    work: OwnedMutexGuard<Work>,
    cause: Cause,
    database: PhantomData<fn() -> DB>,
}

impl<DB: Backend> Tx<DB> {
    /// The handler's side of this work; none while another one holds it.
    pub fn lend(work: &Arc<Mutex<Work>>, cause: Cause) -> Option<Tx<DB>> {
        let work = Arc::clone(work).try_lock_owned().ok()?;
        Some(Tx { held: Held { work, cause, database: PhantomData } })
    }
}

impl<DB: Backend> Held<DB> {
    /// The connection, in the transaction: begun now if it was not.
    ///
    /// # Errors
    /// The transaction cannot begin: the database is away, or no connection becomes free.
    pub async fn conn(&mut self) -> Result<&mut DB::Connection, sqlx::Error> {
        let session = self.work.session().await.map_err(StoreError::into_source)?;
        DB::connection(session).ok_or_else(|| {
            let name = std::any::type_name::<DB>();
            sqlx::Error::Configuration(format!("the service's store is not on {name}").into())
        })
    }
}

impl<DB: Backend> Deref for Tx<DB> {
    type Target = Held<DB>;

    fn deref(&self) -> &Held<DB> {
        &self.held
    }
}

impl<DB: Backend> DerefMut for Tx<DB> {
    fn deref_mut(&mut self) -> &mut Held<DB> {
        &mut self.held
    }
}

impl<DB: Backend> sealed::Sealed for Held<DB> {}
impl<DB: Backend> sealed::Sealed for Tx<DB> {}

impl<DB: Backend> Connection for Held<DB> {
    fn dialect(&self) -> Dialect {
        DB::DIALECT
    }

    async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, sqlx::Error> {
        self.work.session().await.map_err(StoreError::into_source)?.execute(sql, values).await
    }

    async fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, sqlx::Error> {
        self.work.session().await.map_err(StoreError::into_source)?.rows(sql, values).await
    }

    async fn script(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.work.session().await.map_err(StoreError::into_source)?.script(sql).await
    }
}

impl<DB: Backend> Transactional for Held<DB> {
    type Connection = Held<DB>;

    fn connection(&mut self) -> &mut Held<DB> {
        self
    }

    fn cause(&self) -> Option<&Cause> {
        Some(&self.cause)
    }
}

impl<DB: Backend> Transactional for Tx<DB> {
    type Connection = Held<DB>;

    fn connection(&mut self) -> &mut Held<DB> {
        &mut self.held
    }

    fn cause(&self) -> Option<&Cause> {
        Some(&self.held.cause)
    }
}

impl<DB: Backend> fmt::Debug for Held<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("begun", &self.work.has_begun()).finish_non_exhaustive()
    }
}

impl<DB: Backend> fmt::Debug for Tx<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.held.fmt(f)
    }
}
