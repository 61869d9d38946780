//! The databases that a [`Tx`](super::Tx) can be on.

use crate::connection::sealed::Sealed;
use crate::statements::Dialect;
use crate::store::Session;

/// A database of sqlx's that a store can be on.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that a store can be on",
    note = "`Tx` is `Tx<sqlx::Sqlite>`; on PostgreSQL write `Tx<sqlx::Postgres>`. The features \
            `sqlite` and `postgres` say which are there"
)]
pub trait Backend: sqlx::Database + Sealed {
    /// Its SQL.
    #[doc(hidden)]
    const DIALECT: Dialect;

    /// The connection of a session on this database; none if it is on the other one.
    #[doc(hidden)]
    fn connection(session: &mut Session) -> Option<&mut Self::Connection>;
}

#[cfg(feature = "sqlite")]
impl Sealed for sqlx::Sqlite {}

#[cfg(feature = "sqlite")]
impl Backend for sqlx::Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;

    fn connection(session: &mut Session) -> Option<&mut sqlx::SqliteConnection> {
        session.sqlite()
    }
}

#[cfg(feature = "postgres")]
impl Sealed for sqlx::Postgres {}

#[cfg(feature = "postgres")]
impl Backend for sqlx::Postgres {
    const DIALECT: Dialect = Dialect::Postgres;

    fn connection(session: &mut Session) -> Option<&mut sqlx::PgConnection> {
        session.postgres()
    }
}
