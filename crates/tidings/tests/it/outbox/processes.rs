//! Relays in processes of their own, killed with -9 and stopped past their leases.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tidings::config::Settings;
use tidings::{Outbox, Relay};

use super::rig::{PATIENCE, changed, first_copies, on_topic, publish, until_empty};
use crate::broker::Broker;
use crate::ground::Ground;
use crate::on_both;
use crate::process::{self, Process};

const PARTITIONS: i32 = 4;

/// The shortest that a relay takes.
const LEASE: Duration = Duration::from_secs(3);

/// A relay's process.
#[tokio::test(flavor = "multi_thread")]
async fn relay_in_a_process_of_its_own() {
    let Some((bootstrap, store)) = process::part().await else { return };
    let settings = Settings::new(&bootstrap).unwrap();
    Relay::new("test", store).settings(settings).lease(LEASE).run().await.unwrap();
}

fn start_relay(broker: &Broker, ground: &Ground) -> Process {
    Process::start("outbox::processes::relay_in_a_process_of_its_own", broker, ground)
}

/// Sees what was published, before any relay says so.
struct Looker(BaseConsumer);

impl Looker {
    fn new(broker: &Broker) -> Looker {
        Looker(broker.settings().consumer("looker").create().unwrap())
    }

    /// Records on the topic.
    fn published(&self) -> i64 {
        let end = |partition| self.0.fetch_watermarks("changes", partition, PATIENCE).unwrap().1;
        (0..PARTITIONS).map(end).sum()
    }
}

async fn start(ground: &Ground) -> (Broker, Outbox) {
    let broker = Broker::start().await;
    broker.admin().unwrap().create("changes", PARTITIONS, &[]).await.unwrap();
    ground.store.migrate().await.unwrap();
    (broker, Outbox::new("/test"))
}

async fn judge(broker: &Broker, keys: i64, each: i64) {
    let found = on_topic(broker.settings(), "changes").await;
    assert_eq!(found.len(), keys as usize);
    for (key, versions) in &found {
        let expected: Vec<i64> = (0..each).collect();
        assert_eq!(first_copies(versions), expected, "key {key}: {versions:?}");
    }
}

on_both! {
    /// Each one is killed when its first events are on the topic, most of the others under way, and
    /// nothing deleted yet or only some of it; the next one takes over.
    async fn killed_with_9_nothing_is_lost_or_out_of_order(ground: &Ground) {
        const KEYS: i64 = 8;
        const EACH: i64 = 150;
        const KILLS: i64 = 3;
        let (broker, outbox) = start(ground).await;
        let store = &ground.store;
        let looker = Looker::new(&broker);
        for cycle in 0..KILLS {
            let mut session = store.begin().await.unwrap();
            for n in KEYS * EACH * cycle..KEYS * EACH * (cycle + 1) {
                outbox.publish(&mut session, changed(n % KEYS, n / KEYS)).await.unwrap();
            }
            session.commit().await.unwrap();
            let before = looker.published();
            let process = start_relay(&broker, ground);
            let deadline = Instant::now() + PATIENCE;
            while looker.published() == before {
                assert!(Instant::now() < deadline, "nothing was published in {PATIENCE:?}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            drop(process);
        }
        let _last = start_relay(&broker, ground);
        until_empty(store).await;
        judge(&broker, KEYS, EACH * KILLS).await;
        broker.stop().await;
    }

    /// Stopped for longer than its leases, and woken when another one has taken over: what it then
    /// writes are copies, and it deletes nothing.
    async fn stopped_past_its_lease_and_woken_again(ground: &Ground) {
        const KEYS: i64 = 8;
        const EACH: i64 = 60;
        let (broker, outbox) = start(ground).await;
        let store = &ground.store;
        let publish_all = async |from: i64, to: i64| {
            for n in from..to {
                publish(store, &outbox, changed(n % KEYS, n / KEYS), true).await;
            }
        };
        let sleeper = start_relay(&broker, ground);
        publish_all(0, KEYS * EACH / 3).await;
        until_empty(store).await;
        sleeper.signal("STOP");
        let stopped = Instant::now();
        publish_all(KEYS * EACH / 3, KEYS * EACH / 3 * 2).await;
        let _heir = start_relay(&broker, ground);
        until_empty(store).await;
        assert!(stopped.elapsed() > LEASE / 2, "the heir waited for the leases to end");
        sleeper.signal("CONT");
        publish_all(KEYS * EACH / 3 * 2, KEYS * EACH).await;
        until_empty(store).await;
        judge(&broker, KEYS, EACH).await;
        broker.stop().await;
    }
}
