//! The tables' history: scripts that are applied once each, in order. They have a table of their
//! own (`tidings_schema`), so that they never meet the user's migrations.

use crate::connection::{Connection, statements};
use crate::error::StoreError;
use crate::statements::Dialect;

/// One script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its number; each is applied once, in order, and never changed.
    pub version: i64,
    /// What it brings.
    pub name: &'static str,
    /// Its statements.
    pub sql: &'static str,
}

static SQLITE: [Migration; 4] = [
    Migration { version: 1, name: "outbox", sql: include_str!("sql/sqlite/0001_outbox.sql") },
    Migration { version: 2, name: "inbox", sql: include_str!("sql/sqlite/0002_inbox.sql") },
    Migration { version: 3, name: "parking", sql: include_str!("sql/sqlite/0003_parking.sql") },
    Migration { version: 4, name: "positions", sql: include_str!("sql/sqlite/0004_positions.sql") },
];

static POSTGRES: [Migration; 4] = [
    Migration { version: 1, name: "outbox", sql: include_str!("sql/postgres/0001_outbox.sql") },
    Migration { version: 2, name: "inbox", sql: include_str!("sql/postgres/0002_inbox.sql") },
    Migration { version: 3, name: "parking", sql: include_str!("sql/postgres/0003_parking.sql") },
    Migration {
        version: 4,
        name: "positions",
        sql: include_str!("sql/postgres/0004_positions.sql"),
    },
];

/// All scripts of a database, for those who apply them by themselves: each in a transaction, with
/// `INSERT INTO tidings_schema (version) VALUES (N)` at its end. The table `tidings_schema` has the
/// columns `version` (a number, the primary key) and `applied_at` (with a default).
pub fn migrations(dialect: Dialect) -> &'static [Migration] {
    match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
    }
}

/// Applies what is missing, in the connection's transaction.
pub(crate) async fn apply(connection: &mut impl Connection) -> Result<(), StoreError> {
    const WHAT: &str = "migrate its tables";
    let sql = statements(connection);
    connection.rows(sql.schema_lock, &[]).await.map_err(StoreError::of(WHAT))?;
    connection.execute(sql.schema_table, &[]).await.map_err(StoreError::of(WHAT))?;
    let found = version(connection).await?;
    let all = migrations(connection.dialect());
    check(found, all)?;
    for migration in all.iter().filter(|migration| migration.version > found) {
        connection.script(migration.sql).await.map_err(StoreError::of(WHAT))?;
        let applied = [crate::Value::Int(migration.version)];
        connection.execute(sql.schema_applied, &applied).await.map_err(StoreError::of(WHAT))?;
    }
    Ok(())
}

/// Refuses tables that are not exactly of this library's version.
pub(crate) async fn require(connection: &mut impl Connection) -> Result<(), StoreError> {
    let all = migrations(connection.dialect());
    let needed = all.len() as i64;
    // Without the table there is no version, and which error says so depends on the database.
    let found = version(connection).await.unwrap_or(0);
    check(found, all)?;
    if found < needed {
        return Err(StoreError::Version { found, needed });
    }
    Ok(())
}

fn check(found: i64, all: &[Migration]) -> Result<(), StoreError> {
    let needed = all.len() as i64;
    if found > needed {
        return Err(StoreError::Version { found, needed });
    }
    Ok(())
}

async fn version(connection: &mut impl Connection) -> Result<i64, StoreError> {
    let sql = statements(connection).schema_version;
    let rows = connection.rows(sql, &[]).await;
    let rows = rows.map_err(StoreError::of("read the version of its tables"))?;
    let first = rows.first().map_or(Ok(0), |row| row.int(0));
    first.map_err(StoreError::of("read the version of its tables"))
}
