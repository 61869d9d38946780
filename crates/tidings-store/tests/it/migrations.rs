//! Tables come once, and their version is looked at.

use tidings_store::backlog::{WaitingRow, waiting};
use tidings_store::inbox::{Entry, Outcome, insert};
use tidings_store::slots::Holder;
use tidings_store::{LEASE, Store, StoreError};

use crate::ground::Ground;
use crate::inbox::knows;
use crate::on_both;
use crate::rows::{publish, row};

/// Somebody else's hands.
async fn by_hand(store: &Store, sql: &'static str) {
    if let Some(pool) = store.sqlite_pool() {
        sqlx::raw_sql(sql).execute(pool).await.unwrap();
    }
    if let Some(pool) = store.postgres_pool() {
        sqlx::raw_sql(sql).execute(pool).await.unwrap();
    }
}

on_both! {
    async fn they_are_made_once(ground: &Ground) {
        let store = ground.store.clone();
        let missing = store.require_tables().await.unwrap_err();
        assert!(matches!(missing, StoreError::Version { found: 0, .. }), "{missing}");
        assert!(missing.to_string().contains("`Store::migrate`"), "{missing}");
        // Instances that start together.
        let (one, two) = tokio::join!(store.migrate(), store.migrate());
        one.unwrap();
        two.unwrap();
        store.require_tables().await.unwrap();
        store.migrate().await.unwrap();
        assert_eq!(store.migrations().len(), 4);
    }

    async fn tables_of_a_newer_library_are_left_alone(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        by_hand(&store, "INSERT INTO tidings_schema (version) VALUES (99)").await;
        for refused in [store.migrate().await, store.require_tables().await] {
            let refused = refused.unwrap_err();
            assert!(refused.to_string().contains("newer version"), "{refused}");
            assert!(!refused.is_retryable());
        }
    }
    /// Tables as the first version made them, and a program of that version that left events in
    /// them: they are published by this one, and what came later works beside them.
    async fn older_tables_are_brought_up_with_what_waits_in_them(ground: &Ground) {
        let store = ground.store.clone();
        by_hand(&store, "CREATE TABLE tidings_schema (version bigint PRIMARY KEY, \
                         applied_at text NOT NULL DEFAULT '2026-01-01')").await;
        let first = store.migrations()[0];
        assert_eq!((first.version, first.name), (1, "outbox"));
        by_hand(&store, first.sql).await;
        by_hand(&store, "INSERT INTO tidings_schema (version) VALUES (1)").await;
        let rows = [row("changes", Some("a"), "1"), row("changes", Some("a"), "2")];
        let positions = publish(&store, &rows).await;
        let old = store.require_tables().await.unwrap_err();
        assert!(matches!(old, StoreError::Version { found: 1, .. }), "{old}");

        store.migrate().await.unwrap();
        store.require_tables().await.unwrap();
        let leases = Holder::new("relay", LEASE).balance(&store).await.unwrap();
        let found = waiting(&store, &leases, 10, 1 << 20).await.unwrap();
        let place_and_value = |row: &WaitingRow| (row.position, row.payload.clone());
        let found: Vec<_> = found.iter().map(place_and_value).collect();
        let expected = [(positions[0], Some(b"1".to_vec())), (positions[1], Some(b"2".to_vec()))];
        assert_eq!(found, expected);
        let after = publish(&store, &[row("changes", Some("a"), "3")]).await;
        assert!(after[0] > positions[1], "{after:?} behind {positions:?}");
        let entry = Entry {
            consumer: "payments/charge",
            source: "/orders",
            id: "1",
            topic: "orders",
            partition: 0,
            offset: 0,
            time_ms: None,
        };
        let mut session = store.begin().await.unwrap();
        assert!(insert(&mut session, &entry, Outcome::Done).await.unwrap());
        session.commit().await.unwrap();
        assert!(knows(&store, &entry).await);
    }
}
