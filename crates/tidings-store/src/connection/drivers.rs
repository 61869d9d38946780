//! sqlx's connections as the store sees them: the same lines for each database, since sqlx's traits
//! are too wide to be generic over.

use super::{Connection, Row, Transactional, Value, sealed};
use crate::crash::{Side, reached};
use crate::statements::Dialect;

macro_rules! driver {
    ($name:ident: $database:ty, $connection:ty, $arguments:ty) => {
        impl sealed::Sealed for $connection {}

        impl Connection for $connection {
            fn dialect(&self) -> Dialect {
                Dialect::$name
            }

            async fn execute(
                &mut self,
                sql: &'static str,
                values: &[Value<'_>],
            ) -> Result<u64, sqlx::Error> {
                reached(Side::Before, sql);
                let done = bound(sql, values).execute(self).await?;
                reached(Side::After, sql);
                Ok(done.rows_affected())
            }

            async fn rows(
                &mut self,
                sql: &'static str,
                values: &[Value<'_>],
            ) -> Result<Vec<Row>, sqlx::Error> {
                reached(Side::Before, sql);
                let rows = bound(sql, values).fetch_all(self).await?;
                reached(Side::After, sql);
                Ok(rows.into_iter().map(Row::$name).collect())
            }

            async fn script(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
                sqlx::raw_sql(sql).execute(self).await.map(drop)
            }
        }

        impl sealed::Sealed for sqlx::Transaction<'_, $database> {}

        impl Transactional for sqlx::Transaction<'_, $database> {
            type Connection = $connection;

            fn connection(&mut self) -> &mut $connection {
                self
            }
        }

        fn bound<'q>(
            sql: &'static str,
            values: &[Value<'q>],
        ) -> sqlx::query::Query<'q, $database, $arguments> {
            values.iter().fold(sqlx::query(sql), |query, value| match *value {
                Value::Int(number) => query.bind(number),
                Value::MaybeInt(number) => query.bind(number),
                Value::Text(text) => query.bind(text),
                Value::Bytes(bytes) => query.bind(bytes),
            })
        }
    };
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;
    driver!(Sqlite: sqlx::Sqlite, sqlx::SqliteConnection, sqlx::sqlite::SqliteArguments);
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;
    driver!(Postgres: sqlx::Postgres, sqlx::PgConnection, sqlx::postgres::PgArguments);
}
