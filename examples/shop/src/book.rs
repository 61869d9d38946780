//! A service's own database: one SQLite file that nobody else writes, with one task that owns the
//! connection and puts whatever waits into one transaction.
//!
//! Every commit costs one sync of the disk, whatever it holds. Handlers of different keys run at
//! the same time, so while one transaction is being synced the statements of the others gather,
//! and the next transaction takes them all: hundreds of commits per second become thousands of
//! events.
//! `synchronous=FULL` therefore stays on; with `NORMAL` a power cut could take back rows whose
//! events are already marked as finished in Kafka, and nobody would ever handle those again.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use sqlx::query::QueryAs;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection, FromRow, Sqlite};
use tidings::Meta;
use tokio::sync::{mpsc, oneshot};

use crate::limits::{STATEMENTS_PER_TRANSACTION, STATEMENTS_WAITING};

/// One statement with its arguments, ready to be run by the writer.
pub type Statement<Row> = QueryAs<'static, Sqlite, Row, SqliteArguments>;

/// A statement that appends an effect of the event that `meta` describes: its first three arguments
/// are the event's source, its id and the attempt.
pub(crate) fn effect<Row>(insert: &'static str, meta: &Meta) -> Statement<Row>
where
    Row: for<'r> FromRow<'r, SqliteRow>,
{
    sqlx::query_as(insert).bind(meta.source.clone()).bind(meta.id.to_string()).bind(meta.attempt)
}

/// A handle on a service's database. Clones share the one writer; the file is closed when the last
/// of them is gone.
#[derive(Clone, Debug)]
pub struct Book {
    writer: mpsc::Sender<Job>,
}

/// Why a statement has had no effect. A repeat may help, so a handler returns it with `?`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// The file cannot be opened or is no database of this service.
    #[error("open the database {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The statement failed.
    #[error("run a statement on the service's database: {0}")]
    Statement(sqlx::Error),
    /// The statement ran, but the transaction that it stood in is lost.
    #[error("commit to the service's database: {0}")]
    Commit(String),
    /// The statement ran and should have returned a row, but returned none.
    #[error("a statement on the service's database returned no row")]
    NoRow,
    /// The writer is gone, which happens when the process ends.
    #[error("the service's database is closed")]
    Closed,
}

impl Book {
    /// Opens or creates the file and brings it to `schema`, whose statements must all be repeatable
    /// (`create … if not exists`).
    ///
    /// # Errors
    /// When the file cannot be opened, or the schema does not apply to it.
    pub async fn open(path: &Path, schema: &'static str) -> Result<Book, BookError> {
        let open = |source| BookError::Open { path: path.to_owned(), source };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(|error| open(error.into()))?;
        }
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(open)?;
        sqlx::raw_sql(schema).execute(&mut connection).await.map_err(open)?;
        let (writer, jobs) = mpsc::channel(STATEMENTS_WAITING);
        tokio::spawn(write(connection, jobs));
        Ok(Book { writer })
    }

    /// Runs `statement` and returns its rows once they are on disk.
    ///
    /// Cancelling the future does not undo the statement: it may or may not have run, as after a
    /// kill, and the repeat of the event is what settles it.
    ///
    /// # Errors
    /// When the statement fails, which leaves the others of its transaction alone, or when the
    /// transaction cannot be committed.
    pub async fn run<Row>(&self, statement: Statement<Row>) -> Result<Vec<Row>, BookError>
    where
        Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            Box::pin(async move {
                let outcome = statement.fetch_all(connection).await;
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
        self.writer.send(job).await.map_err(|_| BookError::Closed)?;
        answered.await.map_err(|_| BookError::Closed)?
    }

    /// As [`run`](Book::run), for a statement that always returns a row.
    ///
    /// # Errors
    /// As [`run`](Book::run), and when there was none.
    pub async fn append<Row>(&self, statement: Statement<Row>) -> Result<Row, BookError>
    where
        Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin + 'static,
    {
        self.run_one(statement).await?.ok_or(BookError::NoRow)
    }

    /// As [`run`](Book::run), for a statement that returns one row or none.
    ///
    /// # Errors
    /// As [`run`](Book::run).
    pub async fn run_one<Row>(&self, statement: Statement<Row>) -> Result<Option<Row>, BookError>
    where
        Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin + 'static,
    {
        Ok(self.run(statement).await?.pop())
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
/// answers; until every [`Book`] is gone.
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
