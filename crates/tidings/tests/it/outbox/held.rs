//! What cannot be published waits in its order, with its reason; everything else goes on.

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use tidings::admin::Admin;
use tidings::config::{Origin, Settings};
use tidings::{Draft, Outbox, Store};
use tidings_broker::Config;
use tidings_store::backlog;

use super::rig::{changed, on_topic, publish, publish_together, relay, until, until_empty};
use crate::broker::Broker;
use crate::ground::Ground;
use crate::named::only_embedded;
use crate::on_both;

/// Settings that create no topics.
fn settings(broker: &Broker) -> Settings {
    Settings::new(broker.bootstrap()).unwrap()
}

async fn delete(store: &Store, position: i64) {
    const DELETE: &str = "DELETE FROM tidings_outbox WHERE position = $1";
    if let Some(pool) = store.sqlite_pool() {
        sqlx::query(DELETE).bind(position).execute(pool).await.unwrap();
    } else if let Some(pool) = store.postgres_pool() {
        sqlx::query(DELETE).bind(position).execute(pool).await.unwrap();
    }
}

async fn delete_topic(settings: &Settings, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = settings.client().create().unwrap();
    let deleted = admin.delete_topics(&[topic], &AdminOptions::new()).await.unwrap();
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
}

/// A broker whose topic takes less than the client.
async fn with_small_topic(partitions: i32) -> Broker {
    let broker = Broker::start().await;
    let small = [("max.message.bytes", "10000")];
    broker.admin().unwrap().create("changes", partitions, &small).await.unwrap();
    broker
}

/// Each record in a batch of its own: those behind a refused one must not get past it.
fn one_each(broker: &Broker) -> Settings {
    let mut settings = settings(broker);
    settings.set("batch.num.messages", "1", Origin::Code).unwrap();
    settings
}

/// An event of some 20,000 bytes.
fn large(row: &str, version: i64) -> Draft {
    Draft::of(changed(row, version)).header("ballast", vec![b'x'; 20_000])
}

on_both! {
    /// The topic takes less than the client: only the broker can say so.
    async fn an_event_too_large_for_its_topic_holds_its_key_alone(ground: &Ground) {
        let broker = with_small_topic(2).await;
        let store = &ground.store;
        store.migrate().await.unwrap();
        let outbox = Outbox::new("/test");
        let mut events = vec![Draft::of(changed("bad", 1)), large("bad", 2)];
        for n in 3..6 {
            events.extend([Draft::of(changed("bad", n)), Draft::of(changed("good", n))]);
        }
        events.push(large("", 6).no_key());
        publish_together(store, &outbox, events).await;
        let running = relay(store, one_each(&broker), &outbox);
        let status = until(store, "down to what is held", |s| s.pending == 5 && s.held == 2).await;
        assert!(status.oldest_age_ms.is_some());
        let held = backlog::held(store, 10).await.unwrap();
        let scopes: Vec<&str> = held.iter().map(|held| held.scope.as_str()).collect();
        let mut scopes = scopes; scopes.sort_unstable();
        assert_eq!(scopes, ["key", "row"]);
        let cause = &held[0].cause;
        assert!(cause.contains("refused an event"), "{cause}");
        assert!(cause.contains("max.message.bytes"), "{cause}");
        let found = on_topic(settings(&broker), "changes").await;
        assert_eq!((&found["good"], &found["bad"]), (&vec![3, 4, 5], &vec![1]));

        // Somebody gives up on them: what waited behind goes on, in order.
        for held in held {
            delete(store, held.position).await;
        }
        until_empty(store).await;
        until(store, "free", |status| status.held == 0).await;
        running.stop().await;
        let found = on_topic(settings(&broker), "changes").await;
        assert_eq!(found["bad"], [1, 3, 4, 5]);
        broker.stop().await;
    }

    /// A broker takes any first sequence number from a producer that it does not know yet: what is
    /// sent behind a client's very first record must not get past it when that is refused.
    async fn a_clients_first_record_is_refused(ground: &Ground) {
        let broker = with_small_topic(1).await;
        let store = &ground.store;
        store.migrate().await.unwrap();
        let outbox = Outbox::new("/test");
        let mut events = vec![large("a", 1)];
        events.extend((2..10).map(|n| Draft::of(changed("a", n))));
        publish_together(store, &outbox, events).await;
        let running = relay(store, one_each(&broker), &outbox);
        until(store, "held", |status| status.held == 1).await;
        let found = on_topic(settings(&broker), "changes").await;
        assert!(found.is_empty(), "{found:?}");
        delete(store, backlog::held(store, 1).await.unwrap()[0].position).await;
        until_empty(store).await;
        running.stop().await;
        let found = on_topic(settings(&broker), "changes").await;
        assert_eq!(found["a"], (2..10).collect::<Vec<_>>());
        broker.stop().await;
    }

    async fn a_missing_topic_is_held_whole_until_it_is_there(ground: &Ground) {
        let broker = Broker::start().await;
        let admin = Admin::new(&settings(&broker)).unwrap();
        admin.create("changes", 2, &[]).await.unwrap();
        let store = &ground.store;
        store.migrate().await.unwrap();
        let outbox = Outbox::new("/test");
        let running = relay(store, settings(&broker), &outbox);
        for n in 0..40 {
            let event = Draft::of(changed(n % 5, n)).topic("not.there");
            publish(store, &outbox, event, true).await;
            publish(store, &outbox, changed(n % 5, n), true).await;
        }
        until(store, "down to the missing topic", |status| status.pending == 40).await;
        let held = backlog::held(store, 100).await.unwrap();
        // Once per slot, of which five keys have five at most.
        assert!((1..=5).contains(&held.len()), "{held:?}");
        assert!(held.iter().all(|held| held.scope == "topic" && held.topic == "not.there"));
        assert!(held[0].cause.contains("tidings topic create"), "{}", held[0].cause);
        let found = on_topic(settings(&broker), "changes").await;
        assert_eq!(found.values().map(Vec::len).sum::<usize>(), 40);

        admin.create("not.there", 3, &[]).await.unwrap();
        until_empty(store).await;
        running.stop().await;
        let found = on_topic(settings(&broker), "not.there").await;
        assert_eq!(found.values().map(Vec::len).sum::<usize>(), 40);
        assert!(found.values().all(|versions| versions.is_sorted()), "{found:?}");
        broker.stop().await;
    }

    /// The relay knows the topic, and finds out by the broker that it is gone.
    async fn a_topic_that_goes_is_held_whole_until_it_is_back(ground: &Ground) {
        if only_embedded("its broker must not create topics by itself") {
            return;
        }
        let config = Config { auto_create_topics: false, ..Config::memory() };
        let broker = tidings_broker::Broker::start(config).await.unwrap();
        let settings = Settings::new(broker.bootstrap()).unwrap();
        let admin = Admin::new(&settings).unwrap();
        admin.create("changes", 2, &[]).await.unwrap();
        admin.create("brief", 2, &[]).await.unwrap();
        let store = &ground.store;
        store.migrate().await.unwrap();
        let outbox = Outbox::new("/test");
        let running = relay(store, settings.clone(), &outbox);
        let brief = |n: i64| Draft::of(changed(n % 5, n)).topic("brief");
        publish(store, &outbox, brief(0), true).await;
        until_empty(store).await;
        delete_topic(&settings, "brief").await;
        for n in 1..41 {
            publish(store, &outbox, brief(n), true).await;
            publish(store, &outbox, changed(n % 5, n), true).await;
        }
        until(store, "down to the topic that went", |status| status.pending == 40).await;
        let held = backlog::held(store, 100).await.unwrap();
        assert!(!held.is_empty() && held.iter().all(|held| held.scope == "topic"), "{held:?}");
        admin.create("brief", 3, &[]).await.unwrap();
        until_empty(store).await;
        running.stop().await;
        let found = on_topic(settings, "brief").await;
        assert_eq!(found.values().map(Vec::len).sum::<usize>(), 40);
        assert!(found.values().all(|versions| versions.is_sorted()), "{found:?}");
        broker.shutdown().await.unwrap();
    }
}
