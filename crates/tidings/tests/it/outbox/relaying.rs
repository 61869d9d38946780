//! Committed: published, in the order of each key. Rolled back: never.

use std::sync::Arc;

use tidings::{Outbox, Relay};

use super::rig::{
    changed, first_copies, make_rows, on_topic, publish, publish_together, raise, relay, running,
    until_empty,
};
use crate::broker::Broker;
use crate::ground::Ground;
use crate::on_both;

on_both! {
    async fn what_commits_is_published_and_what_is_rolled_back_is_not(ground: &Ground) {
        let broker = Broker::start().await;
        let store = &ground.store;
        store.migrate().await.unwrap();
        let outbox = Outbox::new("/test");
        let running = relay(store, broker.settings(), &outbox);
        for n in 0..60 {
            // Odd ones are taken back.
            publish(store, &outbox, changed(n % 4, n), n % 2 == 0).await;
        }
        until_empty(store).await;
        running.stop().await;
        let found = on_topic(broker.settings(), "changes").await;
        // One relay that nobody killed: no copies.
        assert_eq!(found["0"], (0..60).filter(|n| n % 4 == 0).collect::<Vec<_>>());
        assert_eq!(found["2"], (0..60).filter(|n| n % 4 == 2).collect::<Vec<_>>());
        assert_eq!(found.len(), 2);
        broker.stop().await;
    }

    /// Writers under row locks, relays that come and go: for each row the versions appear in order.
    async fn versions_of_a_row_appear_in_order_whatever_the_relays_do(ground: &Ground) {
        const ROWS: i64 = 10;
        const WRITERS: i64 = 32;
        const EACH: i64 = 10;
        let broker = Broker::start().await;
        let store = &ground.store;
        store.migrate().await.unwrap();
        make_rows(store, ROWS).await;
        let outbox = Outbox::new("/test");
        let start = || {
            let relay = Relay::new("test", store.clone()).settings(broker.settings());
            running(relay.woken_by(&outbox).lease(std::time::Duration::from_secs(3)))
        };
        let (first, second) = (start(), start());
        let (outbox, store) = (Arc::new(outbox.clone()), store.clone());
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (store, outbox) = (store.clone(), Arc::clone(&outbox));
                tokio::spawn(async move {
                    for n in 0..EACH {
                        raise(&store, &outbox, (writer + n * 7) % ROWS).await;
                    }
                })
            })
            .collect();
        let mut third = None;
        for (n, writer) in writers.into_iter().enumerate() {
            writer.await.unwrap();
            if n == 4 {
                third = Some(start());
            }
        }
        // One dies without a word, one leaves, one goes on.
        first.abort().await;
        second.stop().await;
        until_empty(&store).await;
        third.unwrap().stop().await;
        let found = on_topic(broker.settings(), "changes").await;
        assert_eq!(found.len(), ROWS as usize);
        for (row, versions) in &found {
            let expected: Vec<i64> = (1..=WRITERS * EACH / ROWS).collect();
            assert_eq!(first_copies(versions), expected, "row {row}: {versions:?}");
        }
        broker.stop().await;
    }

    async fn a_backlog_goes_out_whole_and_in_order(ground: &Ground) {
        let broker = Broker::start().await;
        let store = &ground.store;
        store.migrate().await.unwrap();
        let outbox = Outbox::new("/test");
        for batch in 0..25 {
            let events: Vec<_> = (0..100).map(|n| changed(n % 7, batch * 100 + n)).collect();
            publish_together(store, &outbox, events).await;
        }
        let running = relay(store, broker.settings(), &outbox);
        until_empty(store).await;
        running.stop().await;
        let found = on_topic(broker.settings(), "changes").await;
        assert_eq!(found.values().map(Vec::len).sum::<usize>(), 2500);
        assert!(found.values().all(|versions| versions.is_sorted()), "{found:?}");
        broker.stop().await;
    }
}
