//! The inbox: one row per consumer and event, whoever is first.

use tidings_store::inbox::{Entry, Outcome, Standing, insert, look};
use tidings_store::parking::Lane;

use crate::ground::Ground;
use crate::{Store, on_both};

const ENTRY: Entry<'static> = Entry {
    consumer: "payments/charge",
    source: "/orders",
    id: "1",
    topic: "orders",
    partition: 3,
    offset: 7,
    time_ms: None,
};

pub async fn knows(store: &Store, entry: &Entry<'_>) -> bool {
    let topic = entry.topic.to_owned();
    let lane = Lane { consumer: entry.consumer.to_owned(), topic, lane: b"ka".to_vec() };
    look(store, entry, &lane).await.unwrap() == Standing::Known
}

on_both! {
    async fn an_event_is_known_when_its_transaction_has_committed(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        let mut session = store.begin().await.unwrap();
        assert!(insert(&mut session, &ENTRY, Outcome::Done).await.unwrap());
        assert!(!knows(store, &ENTRY).await, "not yet");
        drop(session);
        assert!(!knows(store, &ENTRY).await, "rolled back");
        let mut session = store.begin().await.unwrap();
        let timed = Entry { time_ms: Some(1), ..ENTRY };
        assert!(insert(&mut session, &timed, Outcome::Done).await.unwrap());
        session.commit().await.unwrap();
        assert!(knows(store, &ENTRY).await);
        let mut session = store.begin().await.unwrap();
        assert!(!insert(&mut session, &ENTRY, Outcome::Done).await.unwrap(), "somebody was first");
    }

    async fn identity_is_consumer_source_and_id_and_nothing_else(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        let others = [
            Entry { consumer: "payments/refund", ..ENTRY },
            Entry { source: "/orders2", ..ENTRY },
            Entry { id: "2", ..ENTRY },
        ];
        let mut session = store.begin().await.unwrap();
        for entry in others.iter().chain([&ENTRY]) {
            assert!(insert(&mut session, entry, Outcome::Done).await.unwrap(), "{entry:?}");
        }
        let moved = Entry { topic: "elsewhere", partition: 0, offset: 0, ..ENTRY };
        let copy = insert(&mut session, &moved, Outcome::Done).await.unwrap();
        assert!(!copy, "at another place");
        session.commit().await.unwrap();
    }
}
