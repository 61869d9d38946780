//! What these tests share: events, transactions, relays, and what lies on a topic in the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use serde::{Deserialize, Serialize};
use sqlx::{Executor as _, Row as _};
use tidings::config::Settings;
use tidings::outbox::Status;
use tidings::{Draft, Event, IntoEvents, Outbox, Relay, Store};
use tidings_store::backlog;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(type = "com.example.row.changed", version = 1, topic = "changes", key = row)]
pub struct Changed {
    pub row: String,
    pub version: i64,
}

pub fn changed(row: impl ToString, version: i64) -> Changed {
    Changed { row: row.to_string(), version }
}

pub const PATIENCE: Duration = Duration::from_secs(30);

/// Publishes in a transaction of its own, which commits or is rolled back.
pub async fn publish(store: &Store, outbox: &Outbox, event: impl Into<Draft>, commits: bool) {
    let mut session = store.begin().await.unwrap();
    outbox.publish(&mut session, event.into()).await.unwrap();
    if commits {
        session.commit().await.unwrap();
    }
}

/// Publishes several in one transaction.
pub async fn publish_together(store: &Store, outbox: &Outbox, events: impl IntoEvents) {
    let mut session = store.begin().await.unwrap();
    outbox.publish(&mut session, events).await.unwrap();
    session.commit().await.unwrap();
}

impl From<Changed> for Draft {
    fn from(event: Changed) -> Draft {
        Draft::of(event)
    }
}

/// Rows with a version each, as a service would have them.
pub async fn make_rows(store: &Store, count: i64) {
    let sql = "CREATE TABLE versions (number bigint PRIMARY KEY, version bigint NOT NULL)";
    let fill = "INSERT INTO versions SELECT $1, 0";
    if let Some(pool) = store.sqlite_pool() {
        pool.execute(sql).await.unwrap();
        for number in 0..count {
            sqlx::query(fill).bind(number).execute(pool).await.unwrap();
        }
    } else if let Some(pool) = store.postgres_pool() {
        pool.execute(sql).await.unwrap();
        for number in 0..count {
            sqlx::query(fill).bind(number).execute(pool).await.unwrap();
        }
    }
}

/// Raises a row's version under the row's lock, and publishes it in the user's own transaction.
pub async fn raise(store: &Store, outbox: &Outbox, number: i64) {
    const RAISE: &str =
        "UPDATE versions SET version = version + 1 WHERE number = $1 RETURNING version";
    if let Some(pool) = store.sqlite_pool() {
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let row = sqlx::query(RAISE).bind(number).fetch_one(&mut *tx).await.unwrap();
        outbox.publish(&mut tx, changed(number, row.get(0))).await.unwrap();
        tx.commit().await.unwrap();
    } else if let Some(pool) = store.postgres_pool() {
        let mut tx = pool.begin().await.unwrap();
        let row = sqlx::query(RAISE).bind(number).fetch_one(&mut *tx).await.unwrap();
        outbox.publish(&mut tx, changed(number, row.get(0))).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// A relay in this process.
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<tidings::Result<()>>,
}

pub fn relay(store: &Store, settings: Settings, outbox: &Outbox) -> Running {
    running(Relay::new("test", store.clone()).settings(settings).woken_by(outbox))
}

pub fn running(relay: Relay) -> Running {
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(relay.run_until(async {
        let _ = stopped.await;
    }));
    Running { stop: Some(stop), task }
}

impl Running {
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.task.await.unwrap().unwrap();
    }

    /// As if the process had been killed, but for the database.
    pub async fn abort(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Waits until the outbox is as wanted.
pub async fn until(store: &Store, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = backlog::status(store).await.unwrap();
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "not {what} within {PATIENCE:?}: {status:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub async fn until_empty(store: &Store) {
    until(store, "empty", |status| status.pending == 0).await;
}

/// Everything on a topic: the versions of each key, in the order in which they lie there.
pub async fn on_topic(settings: Settings, topic: &'static str) -> BTreeMap<String, Vec<i64>> {
    let read = tokio::task::spawn_blocking(move || {
        let mut config = settings.consumer("reader");
        config.set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let mut list = rdkafka::TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            let start = rdkafka::Offset::Beginning;
            list.add_partition_offset(topic, partition.id(), start).unwrap();
        }
        consumer.assign(&list).unwrap();
        let mut ends_left = list.count();
        let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        while ends_left > 0 {
            match consumer.poll(PATIENCE).expect("records or an end in time") {
                Ok(message) => {
                    let key = message.key().map(|key| String::from_utf8_lossy(key).into_owned());
                    let event: Changed =
                        serde_json::from_slice(message.payload().unwrap()).unwrap();
                    found.entry(key.unwrap_or_default()).or_default().push(event.version);
                }
                Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ends_left -= 1,
                Err(error) => panic!("{error}"),
            }
        }
        found
    });
    read.await.unwrap()
}

/// The first copies of what lies there, in order: later copies of the same are at-least-once.
pub fn first_copies(versions: &[i64]) -> Vec<i64> {
    let mut seen = std::collections::HashSet::new();
    versions.iter().copied().filter(|version| seen.insert(*version)).collect()
}
