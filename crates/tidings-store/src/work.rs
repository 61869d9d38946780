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

use crate::connection::{Connection, Row, Transactional, Value, sealed};
use crate::error::StoreError;
use crate::statements::Dialect;
use crate::store::{Session, Store};

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

/// A transaction that has begun or will, if its gate lets it. Dropped, it has not happened.
pub struct Work {
    store: Store,
    gate: Gate,
    idle_max: Option<Duration>,
    session: Option<Session>,
    /// A handler that ignores the error must not get in at its second statement.
    turned_away: bool,
}

impl Work {
    /// Nothing has begun.
    pub fn new(store: Store, gate: Gate) -> Work {
        Work { store, gate, idle_max: None, session: None, turned_away: false }
    }

    /// PostgreSQL ends it when nothing was said for so long: a host that is dead, or a handler that
    /// has left it somewhere, must not hold a key's locks for ever.
    pub fn idle_max(self, idle_max: Duration) -> Work {
        Work { idle_max: Some(idle_max), ..self }
    }

    /// The transaction, begun now if it was not.
    ///
    /// # Errors
    /// [`StoreError::NotItsTurn`] if the gate is closed: now, or when it was asked first.
    pub async fn session(&mut self) -> Result<&mut Session, StoreError> {
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

    /// Makes it true; nothing, if nothing was begun.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.session {
            Some(session) => session.commit().await,
            None => Ok(()),
        }
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
        f.debug_struct("Tx").field("begun", &self.work.session.is_some()).finish_non_exhaustive()
    }
}

impl<DB: Backend> fmt::Debug for Tx<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.held.fmt(f)
    }
}
