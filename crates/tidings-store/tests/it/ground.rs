//! A fresh store per test. The library's tests include this file too.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tempfile::TempDir;

use crate::Store;

/// Where PostgreSQL is.
const POSTGRES: &str = "TIDINGS_TEST_POSTGRES";

/// An empty store; its database goes with it, or with PostgreSQL.
pub struct Ground {
    pub store: Store,
    /// Where it is, for other processes: a file's path or a URL.
    #[allow(dead_code, reason = "the store's own tests have no other processes")]
    pub place: String,
    _dir: Option<TempDir>,
}

impl Ground {
    pub async fn sqlite() -> Ground {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("service.db");
        let store = Store::sqlite(&path).await.unwrap();
        Ground { store, place: path.display().to_string(), _dir: Some(dir) }
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
        let place = format!("{url}?options[search_path]={schema}");
        let options = PgConnectOptions::from_str(&place).unwrap();
        let pool = PgPoolOptions::new().max_connections(40).connect_with(options).await.unwrap();
        Ground { store: Store::from(pool), place, _dir: None }
    }
}

/// A test for each database.
#[macro_export]
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($ground:ident: &Ground) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$doc])*
            async fn run($ground: &Ground) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                run(&Ground::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs PostgreSQL: cargo xtask stores"]
            async fn postgres() {
                run(&Ground::postgres().await).await;
            }
        }
    )+};
}
