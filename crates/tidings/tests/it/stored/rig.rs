//! A service that keeps a ledger: a row for each event, without any constraint, so that whatever is
//! done twice is there twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::{Executor as _, Row as _};
use tidings::FailKind;
use tidings::outbox::Dialect;
use tidings::prelude::*;
use tokio::sync::Barrier;

use crate::outbox::rig::Changed;

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(type = "com.example.row.booked", version = 1, topic = "booked", key = row)]
pub struct Booked {
    pub row: String,
    pub version: i64,
}

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(type = "com.example.row.noted", version = 1, topic = "noted", key = row)]
pub struct Noted {
    pub row: String,
}

/// What the handler is to do besides.
#[derive(Clone, Default)]
pub struct Script {
    /// So many attempts fail, when they have written everything.
    pub fail_first: Arc<AtomicU32>,
    /// Attempts wait here for each other, before they write.
    pub meet: Option<Arc<Barrier>>,
    /// Sends a statement that fails, and goes on as if nothing had been.
    pub swallow: bool,
    /// Moves the transaction into a task that does not end.
    pub keep: bool,
    /// Something outside that takes its time.
    pub takes: Duration,
    /// While it is there, version 2 of the row `bad` fails like this, or everything does.
    pub trouble: Trouble,
    /// The first three attempts at every tenth version fail, three times in one process at most:
    /// in an outage attempts do not count.
    pub stumbles: bool,
    pub stumbled: Arc<Mutex<HashMap<(String, i64), u32>>>,
}

impl Script {
    fn stumbles_at(&self, row: &str, version: i64) -> bool {
        let mut stumbled = self.stumbled.lock().unwrap();
        let times = stumbled.entry((row.to_owned(), version)).or_default();
        *times += 1;
        self.stumbles && *times <= 3
    }
}

/// What is wrong now, until somebody mends it.
#[derive(Clone, Default)]
pub struct Trouble {
    now: Arc<Mutex<Option<FailKind>>>,
    is_with_all: bool,
}

impl Trouble {
    pub fn of(kind: FailKind) -> Trouble {
        Trouble { now: Arc::new(Mutex::new(Some(kind))), is_with_all: false }
    }

    /// Whatever comes fails.
    pub fn with_all(kind: FailKind) -> Trouble {
        Trouble { is_with_all: true, ..Trouble::of(kind) }
    }

    pub fn mend(&self) {
        *self.now.lock().unwrap() = None;
    }

    fn meets(&self, row: &str, version: i64) -> Result<(), Fail> {
        match *self.now.lock().unwrap() {
            Some(FailKind::Down) if self.is_with_all => Err(Fail::down("the bank is closed")),
            Some(_) if self.is_with_all => Err(Fail::retry("the bank does not answer")),
            Some(FailKind::Reject) if row == "bad" && version == 2 => {
                Err(Fail::reject("no such customer"))
            }
            Some(FailKind::Retry) if row == "bad" && version == 2 => {
                Err(Fail::retry("the bank is slow"))
            }
            _ => Ok(()),
        }
    }
}

macro_rules! book {
    ($name:ident, $database:ty) => {
        async fn $name(
            changed: Changed,
            mut tx: Tx<$database>,
            outbox: Outbox,
            State(script): State<Script>,
            meta: Meta,
        ) -> Result<Booked, Fail> {
            let Changed { row, version } = changed;
            tokio::time::sleep(script.takes).await;
            if let Some(meet) = &script.meet {
                meet.wait().await;
            }
            if script.swallow {
                let _ = tx.execute("INSERT INTO nowhere VALUES (1)").await;
            }
            if !script.swallow {
                let insert = sqlx::query("INSERT INTO ledger VALUES ($1, $2)");
                insert.bind(&row).bind(version).execute(&mut *tx).await?;
            }
            // One that is kept would hold the key's lock against all tests of this database.
            if !script.swallow && !script.keep {
                outbox.publish(&mut tx, Noted { row: row.clone() }).await?;
            }
            // With everything written already.
            script.trouble.meets(&row, version)?;
            if version % 10 == 3 && meta.attempt <= 3 && script.stumbles_at(&row, version) {
                return Err(Fail::retry("it stumbles"));
            }
            let left = |left: u32| left.checked_sub(1);
            if script.fail_first.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok() {
                return Err(Fail::retry("the script says so"));
            }
            if script.keep {
                tokio::spawn(async move {
                    let _tx = tx;
                    std::future::pending::<()>().await;
                });
            }
            Ok(Booked { row, version })
        }
    };
}

book!(book_on_sqlite, sqlx::Sqlite);
book!(book_on_postgres, sqlx::Postgres);

/// The service over this store.
pub fn ledger(store: &Store, script: Script) -> Service {
    let service = Service::new("ledger").store(store.clone()).state(script);
    match store.dialect() {
        Dialect::Sqlite => service.on("book", book_on_sqlite),
        Dialect::Postgres => service.on("book", book_on_postgres),
    }
}

pub async fn make_ledger(store: &Store) {
    by_hand(store, "CREATE TABLE ledger (row_name text NOT NULL, version bigint NOT NULL)").await;
}

/// Statements of somebody else's.
pub async fn by_hand(store: &Store, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql);
    match (store.sqlite_pool(), store.postgres_pool()) {
        (Some(pool), _) => drop(sqlx::raw_sql(sql).execute(pool).await.unwrap()),
        (_, Some(pool)) => drop(sqlx::raw_sql(sql).execute(pool).await.unwrap()),
        _ => unreachable!(),
    }
}

/// The ledger's rows, sorted.
pub async fn rows(store: &Store) -> Vec<(String, i64)> {
    let sql = "SELECT row_name, version FROM ledger ORDER BY row_name, version";
    macro_rules! read {
        ($pool:expr) => {
            $pool.fetch_all(sql).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
        };
    }
    match (store.sqlite_pool(), store.postgres_pool()) {
        (Some(pool), _) => read!(pool),
        (_, Some(pool)) => read!(pool),
        _ => unreachable!(),
    }
}
