//! Tables come once, and their version is looked at.

use tidings_store::StoreError;

use crate::ground::Ground;
use crate::on_both;

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
        assert_eq!(store.migrations().len(), 3);
    }

    async fn tables_of_a_newer_library_are_left_alone(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let newer = "INSERT INTO tidings_schema (version) VALUES (99)";
        if let Some(pool) = store.sqlite_pool() {
            sqlx::query(newer).execute(pool).await.unwrap();
        }
        if let Some(pool) = store.postgres_pool() {
            sqlx::query(newer).execute(pool).await.unwrap();
        }
        for refused in [store.migrate().await, store.require_tables().await] {
            let refused = refused.unwrap_err();
            assert!(refused.to_string().contains("newer version"), "{refused}");
            assert!(!refused.is_retryable());
        }
    }
}
