//! A service's own database, which nobody else writes, and the two ways in which effects get into
//! it. With a store each event has a transaction of the store's: its rows, the events that come of
//! it and the mark that it was handled commit together, so each effect is there once. Without one
//! the statements of handlers that run at the same time share a transaction, and an event that is
//! handled again has its effect again.
//!
//! `synchronous=FULL` stays on; with `NORMAL` a power cut could take back rows whose events are
//! already marked as finished in Kafka, and nobody would ever handle those again.

pub(crate) mod audit;
mod page;
mod statement;
mod transaction;
mod writer;

use std::path::Path;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection};
use tidings::{Service, Store, StoreError};

pub(crate) use self::page::Page;
pub(crate) use self::statement::{Row, Statement, Value};
use self::writer::Writer;
use crate::limits::{CONNECTIONS, DATABASE_BUSY};
use crate::store::Database;

/// A handle on a service's database; clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Shared(Writer),
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The tables of a service, as statements that can all be repeated (`create … if not exists`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// Why a statement has had no effect. A repeat may help, so a handler returns it with `?`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// The database cannot be opened or is none of this service.
    #[error("open the database {place}: {source}")]
    Open {
        /// The file, or the schema.
        place: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The store's tables cannot be made.
    #[error("make the store's tables in the service's database: {0}")]
    Store(#[from] StoreError),
    /// The statement failed.
    #[error("run a statement on the service's database: {0}")]
    Statement(sqlx::Error),
    /// The statement ran, but the transaction that it stood in is lost.
    #[error("commit to the service's database: {0}")]
    Commit(String),
    /// An event could not be written into the transaction.
    #[error("write an event into the service's database: {0}")]
    Outbox(#[from] tidings::OutboxError),
    /// The statement ran and should have returned a row, but returned none.
    #[error("a statement on the service's database returned no row")]
    NoRow,
    /// The writer is gone, which happens when the process ends.
    #[error("the service's database is closed")]
    Closed,
}

impl Book {
    /// Opens or creates the database and brings it to `schema`.
    ///
    /// # Errors
    /// When it cannot be opened, or the schema does not apply to it.
    pub(crate) async fn open(
        database: &Database,
        schema: Schema,
        with_store: bool,
    ) -> Result<Book, BookError> {
        let way = match database {
            Database::File(path) if with_store => open_pool(path, schema).await.map(Way::Sqlite),
            Database::File(path) => open_shared(path, schema).await.map(Way::Shared),
            Database::Schema { url, name } => {
                open_schema(url, name, schema).await.map(Way::Postgres)
            }
        };
        let open = |source| BookError::Open { place: database.to_string(), source };
        let book = Book { way: way.map_err(open)? };
        // Before the service runs: orders are sold from its first moment on.
        if let Some(store) = book.store() {
            store.migrate().await?;
        }
        Ok(book)
    }

    /// Lets a service handle with a store on these connections, unless it shall have none.
    pub(crate) fn keep(&self, service: Service) -> Service {
        match self.store() {
            Some(store) => service.store(store),
            None => service,
        }
    }

    fn store(&self) -> Option<Store> {
        match &self.way {
            Way::Shared(_) => None,
            Way::Sqlite(pool) => Some(Store::from(pool.clone())),
            Way::Postgres(pool) => Some(Store::from(pool.clone())),
        }
    }

    /// Runs a statement that belongs to no event, and returns its rows once they are on disk.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) async fn run<R: Row>(&self, statement: Statement) -> Result<Vec<R>, BookError> {
        let rows = match &self.way {
            Way::Shared(writer) => return writer.run(statement).await,
            Way::Sqlite(pool) => match pool.acquire().await {
                Ok(mut connection) => statement.on_sqlite(&mut connection).await,
                Err(error) => Err(error),
            },
            Way::Postgres(pool) => match pool.acquire().await {
                Ok(mut connection) => statement.on_postgres(&mut connection).await,
                Err(error) => Err(error),
            },
        };
        rows.map_err(BookError::Statement)
    }

    /// As [`run`](Book::run), for a statement that always returns a row.
    ///
    /// # Errors
    /// As [`run`](Book::run), and when there was none.
    pub(crate) async fn append<R: Row>(&self, statement: Statement) -> Result<R, BookError> {
        self.run(statement).await?.pop().ok_or(BookError::NoRow)
    }
}

/// What every connection to a service's file does.
fn file(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(DATABASE_BUSY)
}

async fn open_file(path: &Path, schema: Schema) -> Result<SqliteConnection, sqlx::Error> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut connection = SqliteConnection::connect_with(&file(path)).await?;
    sqlx::raw_sql(schema.sqlite).execute(&mut connection).await?;
    Ok(connection)
}

async fn open_shared(path: &Path, schema: Schema) -> Result<Writer, sqlx::Error> {
    Ok(Writer::start(open_file(path, schema).await?))
}

async fn open_pool(path: &Path, schema: Schema) -> Result<SqlitePool, sqlx::Error> {
    open_file(path, schema).await?.close().await?;
    SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(file(path)).await
}

async fn open_schema(url: &str, name: &str, schema: Schema) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?;
    let mut connection = PgConnection::connect_with(&options).await?;
    // Under a lock: what a killed process began may still be under way on the server, and "if not
    // exists" does not wait for it. The name is one of the shop's own.
    let create = AssertSqlSafe(format!(
        "begin;
         select pg_advisory_xact_lock(hashtext('{name}'));
         create schema if not exists {name};
         set local search_path = {name};
         {}
         commit;",
        schema.postgres
    ));
    sqlx::raw_sql(create).execute(&mut connection).await?;
    connection.close().await?;
    let options = options.options([("search_path", name)]);
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        // Handlers that wait for each other in a backlog are nothing to warn of.
        .acquire_slow_threshold(DATABASE_BUSY)
        .connect_with(options)
        .await
}

#[cfg(test)]
mod tests;
