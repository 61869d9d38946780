//! A transaction of the service's own, outside of any handler: rows and events, both or neither.

use sqlx::{Postgres, Sqlite};
use tidings::{IntoEvents, Outbox};

use super::{Book, BookError, Row, Statement, Way};

/// A transaction that has begun; dropped without [`commit`](Transaction::commit) it has not
/// happened.
#[derive(Debug)]
pub(crate) enum Transaction {
    /// On the service's file.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    /// On the service's schema.
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Book {
    /// Begins a transaction; with a store only.
    ///
    /// # Errors
    /// When the database is away, or, without a store, [`BookError::Closed`].
    pub(crate) async fn begin(&self) -> Result<Transaction, BookError> {
        let begun = match &self.way {
            Way::Shared(_) => return Err(BookError::Closed),
            Way::Sqlite(pool) => loop {
                // SQLite has one writer: the service's handlers and its relay come in between.
                match pool.begin_with("begin immediate").await {
                    Err(error) if is_busy(&error) => tracing::debug!("orders wait for the file"),
                    begun => break begun.map(Transaction::Sqlite),
                }
            },
            Way::Postgres(pool) => pool.begin().await.map(Transaction::Postgres),
        };
        begun.map_err(BookError::Statement)
    }
}

impl Transaction {
    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) async fn run<R: Row>(&mut self, statement: Statement) -> Result<Vec<R>, BookError> {
        let rows = match self {
            Transaction::Sqlite(tx) => statement.on_sqlite(tx).await,
            Transaction::Postgres(tx) => statement.on_postgres(tx).await,
        };
        rows.map_err(BookError::Statement)
    }

    /// Writes events, which are published after the commit.
    ///
    /// # Errors
    /// When the outbox does not take them.
    pub(crate) async fn publish(
        &mut self,
        outbox: &Outbox,
        events: impl IntoEvents,
    ) -> Result<(), BookError> {
        match self {
            Transaction::Sqlite(tx) => outbox.publish(tx, events).await?,
            Transaction::Postgres(tx) => outbox.publish(tx, events).await?,
        };
        Ok(())
    }

    /// Makes it true.
    ///
    /// # Errors
    /// When it is lost.
    pub(crate) async fn commit(self) -> Result<(), BookError> {
        let committed = match self {
            Transaction::Sqlite(tx) => tx.commit().await,
            Transaction::Postgres(tx) => tx.commit().await,
        };
        committed.map_err(|error| BookError::Commit(error.to_string()))
    }
}

/// `SQLITE_BUSY`: another one writes.
fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("5"))
}
