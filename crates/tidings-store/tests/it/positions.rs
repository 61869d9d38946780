//! Positions go on and never back, and a store knows which one it is.

use tidings_store::positions::{Position, keep, of_group, store_id};

use crate::ground::Ground;
use crate::on_both;

fn at(partition: i32, next: i64) -> Position {
    Position {
        topic: "orders".to_owned(),
        partition,
        next,
        cluster_id: Some("cluster".to_owned()),
        topic_id: None,
        epoch: 0,
    }
}

on_both! {
    async fn a_position_is_written_and_goes_on(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        assert_eq!(of_group(store, "payments").await.unwrap(), []);
        assert!(keep(store, "payments", &[at(1, 7), at(0, 3)]).await.unwrap());
        assert_eq!(of_group(store, "payments").await.unwrap(), [at(0, 3), at(1, 7)]);
        assert!(keep(store, "payments", &[at(1, 9)]).await.unwrap());
        assert_eq!(of_group(store, "payments").await.unwrap(), [at(0, 3), at(1, 9)]);
        assert_eq!(of_group(store, "others").await.unwrap(), [], "each group has its own");
        assert!(keep(store, "others", &[]).await.unwrap());
    }

    /// A member that was stopped and woken when another one had gone on: no news, and no error.
    async fn an_ordinary_write_never_moves_it_back(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        assert!(keep(store, "payments", &[at(0, 9)]).await.unwrap());
        assert!(keep(store, "payments", &[at(0, 4), at(1, 5)]).await.unwrap());
        assert_eq!(of_group(store, "payments").await.unwrap(), [at(0, 9), at(1, 5)]);
    }

    /// What was read before somebody moved it on purpose is not written any more, and nothing of
    /// the same commit either.
    async fn an_older_epoch_writes_nothing(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        let moved = Position { epoch: 1, ..at(1, 2) };
        assert!(keep(store, "payments", &[at(0, 1), moved.clone()]).await.unwrap());
        assert!(!keep(store, "payments", &[at(0, 8), at(1, 8)]).await.unwrap());
        assert_eq!(of_group(store, "payments").await.unwrap(), [at(0, 1), moved.clone()]);
        let next = Position { next: 3, ..moved };
        assert!(keep(store, "payments", &[at(0, 8), next.clone()]).await.unwrap());
        assert_eq!(of_group(store, "payments").await.unwrap(), [at(0, 8), next]);
    }

    /// A broker that does not say where it is takes away nothing that was known.
    async fn what_is_not_known_now_stays_as_it_was(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        let known = Position { topic_id: Some("topic".to_owned()), ..at(0, 1) };
        assert!(keep(store, "payments", std::slice::from_ref(&known)).await.unwrap());
        let unknown = Position { cluster_id: None, ..at(0, 2) };
        assert!(keep(store, "payments", &[unknown]).await.unwrap());
        assert_eq!(of_group(store, "payments").await.unwrap(), [Position { next: 2, ..known }]);
    }

    async fn a_store_has_an_id_that_stays(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        let id = store_id(store).await.unwrap();
        let dashes: Vec<usize> = id.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!((id.len(), dashes), (36, vec![8, 13, 18, 23]), "{id}");
        assert_eq!(&id[14..15], "4", "{id}");
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert!(id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-')), "{id}");
        store.migrate().await.unwrap();
        assert_eq!(store_id(store).await.unwrap(), id);
        let other = Ground::sqlite().await;
        other.store.migrate().await.unwrap();
        assert_ne!(store_id(&other.store).await.unwrap(), id);
    }
}
