//! A fresh store per test.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tempfile::TempDir;
use tidings_store::outbox::{NewRow, insert};
use tidings_store::{Connection, Store};

/// Where PostgreSQL is.
const POSTGRES: &str = "TIDINGS_TEST_POSTGRES";

/// An empty store; its database goes with it, or with PostgreSQL.
pub struct Ground {
    pub store: Store,
    _dir: Option<TempDir>,
}

impl Ground {
    pub async fn sqlite() -> Ground {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::sqlite(dir.path().join("service.db")).await.unwrap();
        Ground { store, _dir: Some(dir) }
    }

    /// A schema of its own in the server that is named.
    pub async fn postgres() -> Ground {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var(POSTGRES).expect("`cargo xtask stores` sets TIDINGS_TEST_POSTGRES");
        let options = PgConnectOptions::from_str(&url).unwrap();
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let schema = format!("store_{}_{n}", std::process::id());
        let first = PgPoolOptions::new().max_connections(1).connect_with(options.clone());
        let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        let create = sqlx::raw_sql(sqlx::AssertSqlSafe(create));
        create.execute(&first.await.unwrap()).await.unwrap();
        let options = options.options([("search_path", schema)]);
        let pool = PgPoolOptions::new().max_connections(40).connect_with(options).await.unwrap();
        Ground { store: Store::from(pool), _dir: None }
    }
}

/// A test for each database.
#[macro_export]
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($store:ident: Store) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$doc])*
            async fn run($store: Store) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                let ground = Ground::sqlite().await;
                run(ground.store.clone()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs PostgreSQL: cargo xtask stores"]
            async fn postgres() {
                run(Ground::postgres().await.store).await;
            }
        }
    )+};
}

/// A row with a text for its value.
pub fn row<'a>(topic: &'a str, key: Option<&'a str>, value: &'a str) -> NewRow<'a> {
    NewRow {
        id: "01890000-0000-7000-8000-000000000000",
        topic,
        key: key.map(str::as_bytes),
        ty: "com.example.thing.v1",
        payload: Some(value.as_bytes()),
        headers: &[],
    }
}

/// Publishes rows in a transaction of their own; the answer is their positions.
pub async fn publish(store: &Store, rows: &[NewRow<'_>]) -> Vec<i64> {
    let mut session = store.begin().await.unwrap();
    let positions = publish_in(&mut session, rows).await;
    session.commit().await.unwrap();
    positions
}

pub async fn publish_in(connection: &mut impl Connection, rows: &[NewRow<'_>]) -> Vec<i64> {
    insert(connection, rows).await.unwrap()
}
