//! `Store`: a service's database, through a pool of its own or one that the service has already.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::Migration;
use crate::connection::{Connection, Row, Transactional, Value, sealed};
use crate::crash::{Side, commits};
use crate::error::StoreError;
use crate::migrations;
use crate::statements::Dialect;

/// A service's database. Clones share one pool.
///
/// All instances of a service share one store; no two services do.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    /// SQLite has one writer, and takes whoever asks at the right moment: our own transactions
    /// stand in a fair line first. (A user's transaction waits for SQLite itself.)
    writer: Arc<Mutex<()>>,
}

#[derive(Clone)]
enum Pool {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqlitePool),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
}

/// A transaction of the store's own. Dropped without [`commit`](Session::commit) it has not
/// happened.
pub struct Session {
    transaction: Transaction,
    /// The last statement, by which a commit is known.
    last: &'static str,
    _turn: Option<OwnedMutexGuard<()>>,
}

enum Transaction {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Store {
    /// Opens a SQLite file, made if it is missing, with what the outbox relies on: WAL and
    /// `synchronous=FULL`, so that a commit survives a power cut.
    #[cfg(feature = "sqlite")]
    pub async fn sqlite(path: impl AsRef<std::path::Path>) -> Result<Store, StoreError> {
        use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
        let options = SqliteConnectOptions::new()
            .filename(path.as_ref())
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(crate::limits::SQLITE_BUSY);
        let pool = sqlx::sqlite::SqlitePoolOptions::new()
            .max_connections(crate::limits::CONNECTIONS)
            .connect_with(options)
            .await;
        let place = path.as_ref().display().to_string();
        Ok(Store::from(pool.map_err(|source| StoreError::Open { place, source })?))
    }

    /// Connects to PostgreSQL: `postgres://user:password@host:port/database`.
    #[cfg(feature = "postgres")]
    pub async fn postgres(url: &str) -> Result<Store, StoreError> {
        use std::str::FromStr;
        let options = sqlx::postgres::PgConnectOptions::from_str(url);
        // A URL that cannot be read may still hold a password.
        let open = |place: String| move |source| StoreError::Open { place, source };
        let options = options.map_err(open("of this URL".to_owned()))?;
        let place = format!("{}:{}", options.get_host(), options.get_port());
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(crate::limits::CONNECTIONS)
            .connect_with(options)
            .await;
        Ok(Store::from(pool.map_err(open(place))?))
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        match &self.pool {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(_) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Pool::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The pool, if it is SQLite's, for the service's own statements.
    #[cfg(feature = "sqlite")]
    pub fn sqlite_pool(&self) -> Option<&sqlx::SqlitePool> {
        match &self.pool {
            Pool::Sqlite(pool) => Some(pool),
            #[cfg(feature = "postgres")]
            Pool::Postgres(_) => None,
        }
    }

    /// The pool, if it is PostgreSQL's, for the service's own statements.
    #[cfg(feature = "postgres")]
    pub fn postgres_pool(&self) -> Option<&sqlx::PgPool> {
        match &self.pool {
            Pool::Postgres(pool) => Some(pool),
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(_) => None,
        }
    }

    /// Makes the tables, or brings them to this library's version. Instances that start together
    /// wait for each other.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut session = self.begin().await?;
        migrations::apply(&mut session).await?;
        session.commit().await
    }

    /// The scripts of this store's database, for those who apply them by themselves.
    pub fn migrations(&self) -> &'static [Migration] {
        migrations::migrations(self.dialect())
    }

    /// Refuses tables of another version, with what to do.
    pub async fn require_tables(&self) -> Result<(), StoreError> {
        let mut session = self.begin().await?;
        migrations::require(&mut session).await
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Session, StoreError> {
        self.begin_idle_max(None).await
    }

    /// Begins a transaction that PostgreSQL ends when nothing was said for so long. SQLite's ends
    /// with its process.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "SQLite's transactions end with their process")
    )]
    pub(crate) async fn begin_idle_max(
        &self,
        idle_max: Option<Duration>,
    ) -> Result<Session, StoreError> {
        let wrong = StoreError::of("begin a transaction");
        Ok(match &self.pool {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(pool) => {
                let turn = Arc::clone(&self.writer).lock_owned().await;
                // At once: a transaction that reads first and writes later fails when another one
                // has written in between.
                let begun = pool.begin_with("BEGIN IMMEDIATE").await.map_err(wrong)?;
                Session { transaction: Transaction::Sqlite(begun), last: "", _turn: Some(turn) }
            }
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => {
                let begun = match idle_max {
                    None => pool.begin().await,
                    // In one message with the beginning: it costs no turn.
                    Some(idle_max) => {
                        let ms = crate::limits::millis(idle_max).clamp(1, i32::MAX.into());
                        let setting = "idle_in_transaction_session_timeout";
                        let sql = format!("BEGIN; SET LOCAL {setting} = {ms}");
                        pool.begin_with(sqlx::AssertSqlSafe(sql)).await
                    }
                };
                let begun = begun.map_err(wrong)?;
                Session { transaction: Transaction::Postgres(begun), last: "", _turn: None }
            }
        })
    }

    /// Runs one statement outside of any transaction of ours.
    pub(crate) async fn read(
        &self,
        sql: impl FnOnce(&'static crate::statements::Statements) -> &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, sqlx::Error> {
        let sql = sql(crate::statements::Statements::of(self.dialect()));
        match &self.pool {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(pool) => pool.acquire().await?.rows(sql, values).await,
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => pool.acquire().await?.rows(sql, values).await,
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dialect", &self.dialect()).finish_non_exhaustive()
    }
}

/// A pool that the service has already. The service sees to `journal_mode=WAL` and
/// `synchronous=FULL` itself.
#[cfg(feature = "sqlite")]
impl From<sqlx::SqlitePool> for Store {
    fn from(pool: sqlx::SqlitePool) -> Store {
        Store { pool: Pool::Sqlite(pool), writer: Arc::default() }
    }
}

/// A pool that the service has already.
#[cfg(feature = "postgres")]
impl From<sqlx::PgPool> for Store {
    fn from(pool: sqlx::PgPool) -> Store {
        Store { pool: Pool::Postgres(pool), writer: Arc::default() }
    }
}

impl Session {
    #[cfg(feature = "sqlite")]
    pub(crate) fn sqlite(&mut self) -> Option<&mut sqlx::SqliteConnection> {
        match &mut self.transaction {
            Transaction::Sqlite(transaction) => Some(transaction),
            #[cfg(feature = "postgres")]
            Transaction::Postgres(_) => None,
        }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn postgres(&mut self) -> Option<&mut sqlx::PgConnection> {
        match &mut self.transaction {
            Transaction::Postgres(transaction) => Some(transaction),
            #[cfg(feature = "sqlite")]
            Transaction::Sqlite(_) => None,
        }
    }

    /// Makes it true.
    pub async fn commit(self) -> Result<(), StoreError> {
        let last = self.last;
        commits(Side::Before, last);
        let committed = match self.transaction {
            #[cfg(feature = "sqlite")]
            Transaction::Sqlite(transaction) => transaction.commit().await,
            #[cfg(feature = "postgres")]
            Transaction::Postgres(transaction) => transaction.commit().await,
        };
        committed.map_err(StoreError::of("commit"))?;
        commits(Side::After, last);
        Ok(())
    }
}

impl sealed::Sealed for Session {}

impl Transactional for Session {
    type Connection = Session;

    fn connection(&mut self) -> &mut Session {
        self
    }
}

macro_rules! delegate {
    ($self:ident, $connection:ident => $call:expr) => {
        match &mut $self.transaction {
            #[cfg(feature = "sqlite")]
            Transaction::Sqlite($connection) => $call,
            #[cfg(feature = "postgres")]
            Transaction::Postgres($connection) => $call,
        }
    };
}

impl Connection for Session {
    fn dialect(&self) -> Dialect {
        match &self.transaction {
            #[cfg(feature = "sqlite")]
            Transaction::Sqlite(_) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Transaction::Postgres(_) => Dialect::Postgres,
        }
    }

    async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, sqlx::Error> {
        self.last = sql;
        delegate!(self, connection => connection.execute(sql, values).await)
    }

    async fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, sqlx::Error> {
        self.last = sql;
        delegate!(self, connection => connection.rows(sql, values).await)
    }

    async fn script(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        delegate!(self, connection => connection.script(sql).await)
    }
}
