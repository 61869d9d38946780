//! `&mut tx` and `&mut *tx` as sqlx executors: each call begins the transaction if it has not
//! begun, and goes on with the connection's own executor.

use futures_util::future::{BoxFuture, TryFutureExt as _};
use futures_util::stream::{BoxStream, StreamExt as _};
use sqlx::{Database, Either, Error, Execute, Executor, SqlStr};

use super::{Held, Tx};

macro_rules! executor {
    ($database:ty: $($holder:ident)+) => {$(
        impl<'c> Executor<'c> for &'c mut $holder<$database> {
            type Database = $database;

            fn fetch_many<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxStream<'e, Result<Step<$database>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, $database>,
            {
                let steps = self.conn().map_ok(|connection| connection.fetch_many(query));
                steps.try_flatten_stream().boxed()
            }

            fn fetch_optional<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<Option<<$database as Database>::Row>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, $database>,
            {
                Box::pin(async move { self.conn().await?.fetch_optional(query).await })
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [<$database as Database>::TypeInfo],
            ) -> BoxFuture<'e, Result<<$database as Database>::Statement, Error>>
            where
                'c: 'e,
            {
                Box::pin(async move { self.conn().await?.prepare_with(sql, parameters).await })
            }

            fn describe<'e>(
                self,
                sql: SqlStr,
            ) -> BoxFuture<'e, Result<sqlx::Describe<$database>, Error>>
            where
                'c: 'e,
            {
                Box::pin(async move { self.conn().await?.describe(sql).await })
            }
        }
    )+};
}

type Step<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

#[cfg(feature = "sqlite")]
executor!(sqlx::Sqlite: Held Tx);

#[cfg(feature = "postgres")]
executor!(sqlx::Postgres: Held Tx);
