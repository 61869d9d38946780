//! Read only, from outside: rows of a service's database, over a connection of its own.

use std::str::FromStr;

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{BookError, Row, Statement};
use crate::store::Database;

/// PostgreSQL's `undefined_table`: the schema or the table is not there.
const UNDEFINED_TABLE: &str = "42P01";

/// The one row that `select` returns.
///
/// # Errors
/// When the database is missing or cannot be read.
pub(crate) async fn row<R: Row>(database: &Database, select: &'static str) -> Result<R, BookError> {
    rows(database, select).await?.pop().ok_or(BookError::NoRow)
}

/// The rows that `select` returns.
///
/// # Errors
/// When the database is missing or cannot be read.
pub(crate) async fn rows<R: Row>(
    database: &Database,
    select: &'static str,
) -> Result<Vec<R>, BookError> {
    let select = Statement::new(select);
    let open = |source| BookError::Open { place: database.to_string(), source };
    let rows = match database {
        Database::File(path) => {
            let options = SqliteConnectOptions::new().filename(path).read_only(true);
            let mut connection = SqliteConnection::connect_with(&options).await.map_err(open)?;
            let rows = select.on_sqlite(&mut connection).await;
            connection.close().await.map_err(BookError::Statement)?;
            rows
        }
        Database::Schema { url, name } => {
            let options = PgConnectOptions::from_str(url).map_err(open)?;
            let options = options.options([("search_path", name)]);
            let mut connection = PgConnection::connect_with(&options).await.map_err(open)?;
            let rows = select.on_postgres(&mut connection).await;
            connection.close().await.map_err(BookError::Statement)?;
            rows
        }
    };
    rows.map_err(BookError::Statement)
}

/// As [`rows`]; none of a service that may not have made its database yet, or these tables.
///
/// # Errors
/// As [`rows`].
pub(crate) async fn rows_if_there<R: Row>(
    database: &Database,
    select: &'static str,
) -> Result<Vec<R>, BookError> {
    if matches!(database, Database::File(path) if !path.exists()) {
        return Ok(Vec::new());
    }
    match rows(database, select).await {
        // Between the making of the file and that of its tables.
        Err(BookError::Statement(sqlx::Error::Database(error)))
            if error.message().starts_with("no such table")
                || error.code().as_deref() == Some(UNDEFINED_TABLE) =>
        {
            Ok(Vec::new())
        }
        read => read,
    }
}
