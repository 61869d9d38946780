//! The services' schemas on a PostgreSQL, which outlive the run that made them unless somebody
//! drops them.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};

use crate::book::BookError;
use crate::store::Database;
use crate::{Env, SERVICES};

/// Which of the services' schemas are there; none if the shop is not on PostgreSQL.
///
/// # Errors
/// When the server does not answer.
pub async fn schemas(env: &Env) -> Result<Vec<String>, BookError> {
    let databases = SERVICES.iter().map(|service| env.database(service));
    let mut found = Vec::new();
    for database in databases {
        let Database::Schema { url, name } = &database else { continue };
        let mut connection = connect(&database, url).await?;
        let known = sqlx::query_scalar("select nspname::text from pg_namespace where nspname = $1");
        let known: Option<String> =
            known.bind(name).fetch_optional(&mut connection).await.map_err(BookError::Statement)?;
        found.extend(known);
    }
    Ok(found)
}

/// Removes the services' schemas with all that is in them.
///
/// # Errors
/// When the server does not answer.
pub async fn drop_schemas(env: &Env) -> Result<(), BookError> {
    for service in SERVICES {
        let database = env.database(service);
        let Database::Schema { url, name } = &database else { continue };
        let mut connection = connect(&database, url).await?;
        // The name is one of the shop's own.
        let drop = AssertSqlSafe(format!("drop schema if exists {name} cascade"));
        sqlx::raw_sql(drop).execute(&mut connection).await.map_err(BookError::Statement)?;
    }
    Ok(())
}

async fn connect(database: &Database, url: &str) -> Result<PgConnection, BookError> {
    let open = |source| BookError::Open { place: database.to_string(), source };
    let options = PgConnectOptions::from_str(url).map_err(open)?;
    PgConnection::connect_with(&options).await.map_err(open)
}
