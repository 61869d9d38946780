//! The order of a key is the order of commits, under concurrent writers and for whoever reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidings_store::backlog::waiting;
use tidings_store::slots::Holder;
use tidings_store::{LEASE, Store};

use crate::ground::Ground;
use crate::on_both;
use crate::rows::{publish_in, row};

const WRITERS: usize = 32;
const ROWS: i64 = 10;
const EACH: usize = 8;

/// Raises one row's version, and publishes it in the same transaction.
async fn raise(store: &Store, row_number: i64) {
    const RAISE: &str =
        "UPDATE versions SET version = version + 1 WHERE number = $1 RETURNING version";
    let key = row_number.to_string();
    if let Some(pool) = store.sqlite_pool() {
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let (version,): (i64,) =
            sqlx::query_as(RAISE).bind(row_number).fetch_one(&mut *tx).await.unwrap();
        publish_in(&mut *tx, &[row("versions", Some(&key), &version.to_string())]).await;
        tx.commit().await.unwrap();
    } else if let Some(pool) = store.postgres_pool() {
        let mut tx = pool.begin().await.unwrap();
        let (version,): (i64,) =
            sqlx::query_as(RAISE).bind(row_number).fetch_one(&mut *tx).await.unwrap();
        publish_in(&mut *tx, &[row("versions", Some(&key), &version.to_string())]).await;
        tx.commit().await.unwrap();
    }
}

async fn make_rows(store: &Store) {
    const MAKE: &str = "CREATE TABLE versions (number bigint PRIMARY KEY, version bigint NOT NULL)";
    const FILL: &str = "INSERT INTO versions VALUES ($1, 0)";
    for number in 0..=ROWS {
        if let Some(pool) = store.sqlite_pool() {
            let one =
                if number == 0 { sqlx::query(MAKE) } else { sqlx::query(FILL).bind(number - 1) };
            one.execute(pool).await.unwrap();
        } else if let Some(pool) = store.postgres_pool() {
            let one =
                if number == 0 { sqlx::query(MAKE) } else { sqlx::query(FILL).bind(number - 1) };
            one.execute(pool).await.unwrap();
        }
    }
}

on_both! {
    async fn versions_of_a_row_appear_in_order_and_without_gaps(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        make_rows(&store).await;
        let leases = Holder::new("reader", LEASE).balance(&store).await.unwrap();
        let done = Arc::new(AtomicBool::new(false));

        // Whatever is seen at any moment must be, per row, 1, 2, 3, ... without a gap.
        let reader = tokio::spawn({
            let (store, done) = (store.clone(), Arc::clone(&done));
            async move {
                let mut looks = 0;
                loop {
                    let last = done.load(Ordering::SeqCst);
                    let rows = waiting(&store, &leases, 100_000, usize::MAX).await.unwrap();
                    let mut versions: BTreeMap<Vec<u8>, Vec<i64>> = BTreeMap::new();
                    for row in &rows {
                        let value = String::from_utf8(row.payload.clone().unwrap()).unwrap();
                        let key = row.key.clone().unwrap();
                        versions.entry(key).or_default().push(value.parse().unwrap());
                    }
                    for (key, seen) in versions {
                        let expected: Vec<i64> = (1..=seen.len() as i64).collect();
                        assert_eq!(seen, expected, "row {}", String::from_utf8_lossy(&key));
                    }
                    looks += 1;
                    if last {
                        return (rows.len(), looks);
                    }
                }
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in 0..EACH {
                        raise(&store, ((writer + n * 7) as i64) % ROWS).await;
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        let (rows, looks) = reader.await.unwrap();
        assert_eq!(rows, WRITERS * EACH);
        assert!(looks > 1, "the reader looked while they wrote");
    }

    /// Writers of one key that share no row: only the key's lock orders them. Rows come in the
    /// order of their positions, or a reader would publish a later one first.
    async fn no_row_appears_behind_one_that_was_seen(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let leases = Holder::new("reader", LEASE).balance(&store).await.unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let reader = tokio::spawn({
            let (store, done) = (store.clone(), Arc::clone(&done));
            async move {
                let mut seen: Vec<i64> = Vec::new();
                loop {
                    let last = done.load(Ordering::SeqCst);
                    let rows = waiting(&store, &leases, 100_000, usize::MAX).await.unwrap();
                    let now: Vec<i64> = rows.iter().map(|row| row.position).collect();
                    assert!(now.starts_with(&seen), "{seen:?}, then {now:?}");
                    seen = now;
                    if last {
                        return seen.len();
                    }
                }
            }
        });
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in 0..20 {
                        let mut session = store.begin().await.unwrap();
                        publish_in(&mut session, &[row("t", Some("one"), "x")]).await;
                        // The others get their positions meanwhile, if they can.
                        for _ in 0..(writer + n) % 5 {
                            tokio::task::yield_now().await;
                        }
                        session.commit().await.unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        assert_eq!(reader.await.unwrap(), 160);
    }
}
