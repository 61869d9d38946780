//! The ledger in a process of its own, killed with -9 again and again while it works.

use std::time::{Duration, Instant};

use tidings::config::{Origin, Settings};
use tidings::{Retries, Store};

use super::rig::{Script, ledger, make_ledger, rows};
use crate::broker::Broker;
use crate::ground::Ground;
use crate::on_both;
use crate::outbox::rig::{PATIENCE, changed, first_copies, on_topic, until_empty};
use crate::process::{self, Process};

const KEYS: i64 = 8;
const EACH: i64 = 100;
const KILLS: i64 = 5;

/// The ledger's process.
#[tokio::test(flavor = "multi_thread")]
async fn ledger_in_a_process_of_its_own() {
    let Some((bootstrap, store)) = process::part().await else { return };
    let mut settings = Settings::new(&bootstrap).unwrap();
    settings.set("create_topics", "true", Origin::Code).unwrap();
    let takes = Duration::from_millis(2);
    let script = Script { takes, stumbles: true, ..Script::default() };
    let retries = Retries::default().delays_up_to(Duration::from_millis(300));
    let service = ledger(&store, script).instance("one").retries(retries);
    service.settings(settings).run().await.unwrap();
}

fn start_ledger(broker: &Broker, ground: &Ground) -> Process {
    start_ledger_with(broker, ground, &[])
}

/// With more in its environment.
pub fn start_ledger_with(broker: &Broker, ground: &Ground, env: &[(&str, String)]) -> Process {
    Process::start_with("stored::processes::ledger_in_a_process_of_its_own", broker, ground, env)
}

async fn until_rows(store: &Store, wanted: i64) {
    let deadline = Instant::now() + PATIENCE * 2;
    loop {
        let found = rows(store).await.len() as i64;
        if found >= wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{found} of {wanted} rows");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

on_both! {
    /// Its relay dies with it, in whatever moment, and so does who drains: every tenth event fails
    /// three times, and waits with those of its key behind it. Every row is there once, every event
    /// that a row tells of is published, in the order of its key, and no other.
    async fn killed_with_9_every_effect_is_there_once(ground: &Ground) {
        let broker = Broker::start().await;
        let admin = broker.admin().unwrap();
        for topic in ["changes", "booked", "noted"] {
            admin.create(topic, 4, &[]).await.unwrap();
        }
        make_ledger(&ground.store).await;
        ground.store.migrate().await.unwrap();
        let publisher = broker.publisher().await;
        let mut acks = Vec::new();
        for n in 0..KEYS * EACH {
            acks.push(publisher.enqueue(changed(n % KEYS, n / KEYS)).await.unwrap());
        }
        for ack in acks {
            ack.await.unwrap();
        }
        for kill in 1..=KILLS {
            let process = start_ledger(&broker, ground);
            until_rows(&ground.store, KEYS * EACH * kill / (KILLS + 1)).await;
            drop(process);
        }
        let _last = start_ledger(&broker, ground);
        until_rows(&ground.store, KEYS * EACH).await;
        until_empty(&ground.store).await;
        let expected = (0..KEYS).flat_map(|key| (0..EACH).map(move |n| (key.to_string(), n)));
        assert!(rows(&ground.store).await.into_iter().eq(expected), "each row once");
        let booked = on_topic(broker.settings(), "booked").await;
        assert_eq!(booked.len() as i64, KEYS);
        for (key, versions) in booked {
            let expected: Vec<i64> = (0..EACH).collect();
            assert_eq!(first_copies(&versions), expected, "key {key}: {versions:?}");
        }
        broker.stop().await;
    }
}
