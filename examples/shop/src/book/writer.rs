//! Without a store: one task owns the connection to the SQLite file and puts whatever waits into
//! one transaction.
//!
//! Every commit costs one sync of the disk, whatever it holds. Handlers of different keys run at
//! the same time, so while one transaction is being synced the statements of the others gather,
//! and the next transaction takes them all: hundreds of commits per second become thousands of
//! events.

use std::fmt;
use std::pin::Pin;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::BookError;
use super::statement::{Row, Statement};
use crate::limits::{STATEMENTS_PER_TRANSACTION, STATEMENTS_WAITING};

/// A handle on the one who writes. The file is closed when the last clone is gone.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection) -> Writer {
        let (jobs, waiting) = mpsc::channel(STATEMENTS_WAITING);
        tokio::spawn(write(connection, waiting));
        Writer { jobs }
    }

    /// Runs `statement` and returns its rows once they are on disk.
    ///
    /// Cancelling the future does not undo the statement: it may or may not have run, as after a
    /// kill, and the repeat of the event is what settles it.
    ///
    /// # Errors
    /// When the statement fails, which leaves the others of its transaction alone, or when the
    /// transaction cannot be committed.
    pub(super) async fn run<R: Row>(&self, statement: Statement) -> Result<Vec<R>, BookError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            Box::pin(async move {
                let outcome = statement.on_sqlite(connection).await;
                let settle: Settle = Box::new(move |committed| {
                    let answered = match (outcome, committed) {
                        (Ok(rows), Ok(())) => Ok(rows),
                        (Err(error), _) => Err(BookError::Statement(error)),
                        (Ok(_), Err(error)) => Err(BookError::Commit(error.to_string())),
                    };
                    // Nobody listens when the handler was cancelled meanwhile.
                    let _ = answer.send(answered);
                });
                settle
            })
        });
        self.jobs.send(job).await.map_err(|_| BookError::Closed)?;
        answered.await.map_err(|_| BookError::Closed)?
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// Runs a statement inside the open transaction and returns what to do when that is settled.
type Job = Box<
    dyn for<'c> FnOnce(
            &'c mut SqliteConnection,
        ) -> Pin<Box<dyn Future<Output = Settle> + Send + 'c>>
        + Send,
>;

/// Answers the one who asked.
type Settle = Box<dyn FnOnce(Result<(), &sqlx::Error>) + Send>;

/// Takes what waits, at most [`STATEMENTS_PER_TRANSACTION`], runs it in one transaction, commits,
/// answers; until every [`Writer`] is gone.
async fn write(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<Job>) {
    let mut waiting = Vec::with_capacity(STATEMENTS_PER_TRANSACTION);
    while jobs.recv_many(&mut waiting, STATEMENTS_PER_TRANSACTION).await > 0 {
        let mut settles = Vec::with_capacity(waiting.len());
        let committed = commit_together(&mut connection, &mut waiting, &mut settles).await;
        for settle in settles {
            settle(committed.as_ref().copied());
        }
        // Jobs that never ran, because the transaction did not open, answer by being dropped.
        waiting.clear();
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing the database");
    }
}

async fn commit_together(
    connection: &mut SqliteConnection,
    jobs: &mut Vec<Job>,
    settles: &mut Vec<Settle>,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("begin immediate").await?;
    for job in jobs.drain(..) {
        settles.push(job(&mut transaction).await);
    }
    transaction.commit().await
}

#[cfg(test)]
mod tests;
