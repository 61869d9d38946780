//! A broker that is away, and a transaction that takes its time: neither loses anything, and
//! neither holds up more than it has to.

use std::time::Duration;

use tidings::config::{Origin, Settings};
use tidings::outbox::Status;
use tidings::{Outbox, Relay};
use tidings_broker::{Broker, Config};

use super::rig::{changed, first_copies, on_topic, publish, relay, running, until, until_empty};
use crate::ground::Ground;
use crate::named::only_embedded;
use crate::on_both;

const ITS_OWN: &str = "it stops and starts the broker";

fn settings(broker: &Broker) -> Settings {
    let mut settings = Settings::new(broker.bootstrap()).unwrap();
    settings.set("create_topics", "true", Origin::Code).unwrap();
    settings
}

on_both! {
    async fn commits_go_on_while_the_broker_is_away(ground: &Ground) {
        if only_embedded(ITS_OWN) {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("broker");
        let broker = Broker::start(Config::at(&data)).await.unwrap();
        let (settings, address) = (settings(&broker), broker.bootstrap());
        let store = &ground.store;
        store.migrate().await.unwrap();
        let outbox = Outbox::new("/test");
        let lease = Duration::from_secs(3);
        let relay = Relay::new("test", store.clone()).settings(settings.clone());
        let relay = running(relay.woken_by(&outbox).lease(lease));
        let publish_all = async |from: i64, to: i64| {
            for n in from..to {
                publish(store, &outbox, changed(n % 5, n), true).await;
            }
        };
        publish_all(0, 50).await;
        until_empty(store).await;
        broker.shutdown().await.unwrap();

        publish_all(50, 100).await;
        // Longer than a lease, with requests under way: they are renewed.
        let is_old = |status: &Status| status.oldest_age_ms.is_some_and(|ms| ms > 4_000);
        until(store, "old", is_old).await;
        let again = Config { listen: address.parse().unwrap(), ..Config::at(&data) };
        let broker = Broker::start(again).await.unwrap();
        publish_all(100, 150).await;
        until_empty(store).await;
        relay.stop().await;
        let found = on_topic(settings, "changes").await;
        for (key, versions) in &found {
            let expected: Vec<i64> = (0..150).filter(|n| (n % 5).to_string() == *key).collect();
            assert_eq!(first_copies(versions), expected, "key {key}: {versions:?}");
        }
        assert_eq!(found.len(), 5);
        broker.shutdown().await.unwrap();
    }
}

/// On PostgreSQL a transaction can hold a low position while higher ones commit and are published.
/// (SQLite has one writer: nobody passes.)
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask stores"]
async fn postgres_a_writer_held_open_is_neither_passed_by_nor_in_the_way() {
    let ground = Ground::postgres().await;
    let broker = crate::broker::Broker::start().await;
    let store = &ground.store;
    store.migrate().await.unwrap();
    let outbox = Outbox::new("/test");
    let relay = relay(store, broker.settings(), &outbox);
    for round in 0..20 {
        let mut slow = store.begin().await.unwrap();
        outbox.publish(&mut slow, changed("slow", round)).await.unwrap();
        for n in 0..5 {
            publish(store, &outbox, changed("quick", round * 5 + n), true).await;
        }
        // All that can be seen is published, with the lower position still out.
        until_empty(store).await;
        slow.commit().await.unwrap();
        until_empty(store).await;
    }
    relay.stop().await;
    let found = on_topic(broker.settings(), "changes").await;
    assert_eq!(found["slow"], (0..20).collect::<Vec<_>>());
    assert_eq!(found["quick"], (0..100).collect::<Vec<_>>());
    broker.stop().await;
}
