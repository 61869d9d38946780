//! The narrow door to a database: statements with values, rows with columns. One
//! implementation for both drivers, so that everything above is written once.

use std::future::Future;

use crate::statements::{Dialect, Statements};

mod drivers;

/// A connection of SQLite's or PostgreSQL's, in whatever transaction it is in.
///
/// Not to be implemented outside: what the methods do together is the store's own business.
pub trait Connection: Send + sealed::Sealed {
    /// Which database it is.
    fn dialect(&self) -> Dialect;

    /// Runs a statement; the answer is the number of rows that it changed.
    #[doc(hidden)]
    fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;

    /// Runs a statement that answers with rows.
    #[doc(hidden)]
    fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Row>, sqlx::Error>> + Send;

    /// Runs a script of several statements, without values.
    #[doc(hidden)]
    fn script(&mut self, sql: &'static str)
    -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// A transaction that the user has begun, in which rows and events commit together: sqlx's own for
/// SQLite and PostgreSQL, or a [`Session`](crate::Session). A connection without a transaction is
/// none: there each statement commits by itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a transaction that an outbox can write into",
    label = "not a transaction of sqlx's on SQLite or PostgreSQL",
    note = "begin one by `pool.begin().await?` and pass `&mut tx`; the features `sqlite` and \
            `postgres` say for which databases"
)]
pub trait Transactional: Send + sealed::Sealed {
    /// What is under it.
    type Connection: Connection;

    /// The connection that it is on.
    fn connection(&mut self) -> &mut Self::Connection;

    /// What events that are written into it have as their cause, if it is a handler's.
    #[doc(hidden)]
    fn cause(&self) -> Option<&crate::Cause> {
        None
    }
}

/// The statements of a connection's database.
pub(crate) fn statements(connection: &impl Connection) -> &'static Statements {
    Statements::of(connection.dialect())
}

/// A value that is bound to a statement. PostgreSQL wants to know the type of a null too.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// An integer.
    Int(i64),
    /// An integer, or none.
    MaybeInt(Option<i64>),
    /// A text.
    Text(Option<&'a str>),
    /// Bytes.
    Bytes(Option<&'a [u8]>),
}

/// One row of an answer, its columns by their place.
pub enum Row {
    /// SQLite's.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
    /// PostgreSQL's.
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
}

macro_rules! column {
    ($(#[$doc:meta])* $name:ident: $ty:ty) => {
        $(#[$doc])*
        pub(crate) fn $name(&self, column: usize) -> Result<$ty, sqlx::Error> {
            use sqlx::Row as _;
            match self {
                #[cfg(feature = "sqlite")]
                Row::Sqlite(row) => row.try_get(column),
                #[cfg(feature = "postgres")]
                Row::Postgres(row) => row.try_get(column),
            }
        }
    };
}

impl Row {
    column!(int: i64);
    column!(maybe_int: Option<i64>);
    column!(text: String);
    column!(maybe_text: Option<String>);
    column!(bytes: Option<Vec<u8>>);
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Row")
    }
}

pub(crate) mod sealed {
    /// Only the store's own.
    pub trait Sealed {}
}
