//! Positions: the store and Kafka each know how far a group is. The lower one counts, and where
//! they do not belong together the partition stands still until somebody has decided.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use tidings::prelude::*;
use tidings::progress::Progress;
use tidings_store::positions::{Position, of_group, store_id};
use tidings_store::{Connection as _, Session};
use tokio::sync::Barrier;

use super::rig::{Script, by_hand, ledger, make_ledger, rows};
use crate::broker::Broker;
use crate::ground::Ground;
use crate::on_both;
use crate::outbox::rig::changed;
use crate::services::rig::{PATIENCE, Running, committed, until};

/// Nobody here handles it, so that it is finished without the store.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(type = "com.example.row.renamed", version = 1, topic = "changes", key = row)]
struct Renamed {
    row: String,
}

const TOPICS: [&str; 3] = ["changes", "booked", "noted"];

/// One partition, so that there is one position.
async fn start(store: &Store) -> Broker {
    let broker = Broker::start().await;
    for topic in TOPICS {
        broker.admin().unwrap().create(topic, 1, &[]).await.unwrap();
    }
    make_ledger(store).await;
    broker
}

async fn publish(broker: &Broker, from: i64, to: i64) {
    let publisher = broker.publisher().await;
    for version in from..to {
        publisher.publish(changed("a", version)).await.unwrap();
    }
}

fn serve(broker: &Broker, store: &Store) -> Running {
    Running::start(ledger(store, Script::default()), broker)
}

fn in_kafka(broker: &Broker) -> Option<i64> {
    Some(committed(broker, "ledger", "changes").get(&0)?.0)
}

async fn until_committed(broker: &Broker, offset: i64) {
    until("the commit", || in_kafka(broker) == Some(offset)).await;
}

async fn in_store(store: &Store) -> Position {
    let mut all = of_group(store, "ledger").await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Handles the first events and stops.
async fn handle_first(broker: &Broker, store: &Store, count: i64) {
    publish(broker, 0, count).await;
    let running = serve(broker, store);
    until_committed(broker, count).await;
    running.stop().await.unwrap();
    assert_eq!(rows(store).await, once(count));
}

/// What another tool does.
fn move_group(broker: &Broker, offset: i64) {
    commit(broker, offset, "");
}

fn commit(broker: &Broker, offset: i64, metadata: &str) {
    let mut config = broker.settings().client();
    let consumer: BaseConsumer = config.set("group.id", "ledger").create().unwrap();
    let mut list = TopicPartitionList::new();
    let mut entry = list.add_partition("changes", 0);
    entry.set_offset(Offset::Offset(offset)).unwrap();
    entry.set_metadata(metadata);
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

async fn until_stopped(running: &Running, sentence: &str) {
    until("the partition's stop", || {
        let why = running.stats.why_not_ready();
        why.iter().any(|why| why.starts_with("partition changes[0]: ") && why.contains(sentence))
    })
    .await;
}

/// Whoever wants to write a position waits for this one.
async fn hold_positions(store: &Store) -> Session {
    let mut session = store.begin().await.unwrap();
    if store.postgres_pool().is_some() {
        let lock = "LOCK TABLE tidings_position IN EXCLUSIVE MODE";
        session.execute(lock, &[]).await.unwrap();
    }
    session
}

const LONGER_THAN_THE_STORE_MAY_TAKE: Duration = Duration::from_millis(6500);

fn once(count: i64) -> Vec<(String, i64)> {
    (0..count).map(|version| ("a".to_owned(), version)).collect()
}

on_both! {
    async fn a_position_is_in_the_store_before_it_is_in_kafka(ground: &Ground) {
        let store = &ground.store;
        let broker = start(store).await;
        handle_first(&broker, store, 3).await;
        let position = in_store(store).await;
        assert_eq!((&*position.topic, position.partition, position.next), ("changes", 0, 3));
        assert!(position.cluster_id.is_some(), "{position:?}");

        let running = serve(&broker, store).ready().await;
        let session = hold_positions(store).await;
        let publisher = broker.publisher().await;
        publisher.publish(Renamed { row: "a".to_owned() }).await.unwrap();
        until("the event", || running.now().passed_by == 1).await;
        tokio::time::sleep(LONGER_THAN_THE_STORE_MAY_TAKE).await;
        assert_eq!(in_kafka(&broker), Some(3));
        drop(session);
        until_committed(&broker, 4).await;
        assert_eq!(in_store(store).await.next, 4);
        running.stop().await.unwrap();
        broker.stop().await;
    }

    /// A partition of which nothing was read has no position yet. One that was made up would be
    /// offset 0, which is gone when retention has taken it: the next owner would stand still.
    async fn a_commit_that_failed_is_repeated_for_its_own_partitions(ground: &Ground) {
        let store = &ground.store;
        let broker = Broker::start().await;
        broker.admin().unwrap().create("changes", 2, &[]).await.unwrap();
        make_ledger(store).await;
        let publisher = broker.publisher().await;
        for row in 0..20 {
            publisher.publish(Renamed { row: row.to_string() }).await.unwrap();
        }
        let client: BaseConsumer = broker.settings().client().create().unwrap();
        let mut ends = TopicPartitionList::new();
        for partition in 0..2 {
            let (_, end) = client.fetch_watermarks("changes", partition, PATIENCE).unwrap();
            ends.add_partition_offset("changes", partition, Offset::Offset(end)).unwrap();
        }
        let admin: AdminClient<DefaultClientContext> = broker.settings().client().create().unwrap();
        admin.delete_records(&ends, &AdminOptions::new()).await.unwrap();

        let running = serve(&broker, store).ready().await;
        let session = hold_positions(store).await;
        let receipt = publisher.publish(Renamed { row: "a".to_owned() }).await.unwrap();
        until("the event", || running.now().passed_by == 1).await;
        tokio::time::sleep(LONGER_THAN_THE_STORE_MAY_TAKE).await;
        drop(session);
        until("the commit", || !committed(&broker, "ledger", "changes").is_empty()).await;
        running.stop().await.unwrap();
        let all = committed(&broker, "ledger", "changes");
        let all: Vec<_> = all.into_iter().map(|(number, (offset, _))| (number, offset)).collect();
        assert_eq!(all, [(receipt.partition.0, receipt.offset.0 + 1)]);
        broker.stop().await;
    }

    /// As after a crash between the two commits, or when somebody moved the group back.
    async fn kafka_behind_the_store_begins_where_kafka_is(ground: &Ground) {
        let store = &ground.store;
        let broker = start(store).await;
        handle_first(&broker, store, 10).await;
        move_group(&broker, 4);
        let running = serve(&broker, store);
        until_committed(&broker, 10).await;
        assert_eq!(running.now().duplicates, 6, "{:?}", running.now());
        assert_eq!(running.stats.notes(), [""; 0]);
        running.stop().await.unwrap();
        assert_eq!((rows(store).await, in_store(store).await.next), (once(10), 10));
        broker.stop().await;
    }

    /// Kafka forgets the offsets of a group that was away for a week. The inbox is emptied to show
    /// that nothing before the position is read.
    async fn without_an_offset_in_kafka_the_stores_position_counts(ground: &Ground) {
        let store = &ground.store;
        let broker = start(store).await;
        handle_first(&broker, store, 10).await;
        let admin: AdminClient<DefaultClientContext> = broker.settings().client().create().unwrap();
        let deleted = admin.delete_groups(&["ledger"], &AdminOptions::new()).await.unwrap();
        assert_eq!(deleted, [Ok("ledger".to_owned())]);
        assert_eq!(in_kafka(&broker), None);
        by_hand(store, "DELETE FROM tidings_inbox").await;
        publish(&broker, 10, 11).await;
        let running = serve(&broker, store);
        until_committed(&broker, 11).await;
        running.stop().await.unwrap();
        assert_eq!(rows(store).await, once(11));
        broker.stop().await;
    }

    /// The rows, the inbox and the position of the copy are of one moment. What Kafka has beyond it
    /// is handled again, and stands in the copy once.
    async fn a_store_restored_from_an_older_copy_replays(ground: &Ground) {
        let store = &ground.store;
        let broker = start(store).await;
        handle_first(&broker, store, 4).await;
        let copied = tempfile::tempdir().unwrap();
        let copied = copied.path().join("copy.db");
        if store.sqlite_pool().is_some() {
            by_hand(store, &format!("VACUUM INTO '{}'", copied.display())).await;
        }
        publish(&broker, 4, 10).await;
        let running = serve(&broker, store);
        until_committed(&broker, 10).await;
        running.stop().await.unwrap();
        let restored = match store.sqlite_pool() {
            Some(_) => Store::sqlite(&copied).await.unwrap(),
            None => {
                by_hand(
                    store,
                    "DELETE FROM ledger WHERE version >= 4; \
                     DELETE FROM tidings_inbox WHERE \"offset\" >= 4; \
                     UPDATE tidings_position SET next = 4",
                )
                .await;
                store.clone()
            }
        };
        assert_eq!((rows(&restored).await, in_store(&restored).await.next), (once(4), 4));

        let meet = Arc::new(Barrier::new(2));
        let script = Script { meet: Some(Arc::clone(&meet)), ..Script::default() };
        let running = Running::start(ledger(&restored, script), &broker);
        until("the sentence", || {
            running.stats.notes().iter().any(|note| {
                note.starts_with("partition changes[0]: by its store, group `ledger` is at ")
                    && note.contains("at offset 4 of changes[0]")
                    && note.contains("by Kafka at 10: the store was restored from a backup, or")
                    && note.contains("another tool moved the group")
            })
        })
        .await;
        for _ in 4..10 {
            meet.wait().await;
        }
        until("the end of the replay", || running.stats.notes().is_empty()).await;
        running.stop().await.unwrap();
        assert_eq!((rows(&restored).await, in_store(&restored).await.next), (once(10), 10));
        assert_eq!(in_kafka(&broker), Some(10));
        broker.stop().await;
    }

    async fn another_tool_that_moves_the_group_on_skips_nothing(ground: &Ground) {
        let store = &ground.store;
        let broker = start(store).await;
        handle_first(&broker, store, 2).await;
        publish(&broker, 2, 6).await;
        move_group(&broker, 5);
        let running = serve(&broker, store);
        until_committed(&broker, 6).await;
        running.stop().await.unwrap();
        assert_eq!(rows(store).await, once(6));
        broker.stop().await;
    }

    /// Its inbox knows what is done, for each handler.
    async fn with_a_store_the_metadata_skips_nothing(ground: &Ground) {
        let store = &ground.store;
        let broker = start(store).await;
        store.migrate().await.unwrap();
        publish(&broker, 0, 5).await;
        let progress = Progress {
            committed: 1,
            handlers: vec!["book".to_owned()],
            store: store_id(store).await.unwrap().parse().ok(),
            finished: std::iter::once(2..4).collect(),
            ..Progress::default()
        };
        commit(&broker, 1, &progress.encode());
        let running = serve(&broker, store);
        until_committed(&broker, 5).await;
        running.stop().await.unwrap();
        assert_eq!(rows(store).await, once(5).split_off(1));
        broker.stop().await;
    }

    async fn another_store_is_refused_until_somebody_decides(ground: &Ground) {
        let elsewhere = Ground::sqlite().await;
        let (store, other) = (&ground.store, &elsewhere.store);
        let broker = start(store).await;
        handle_first(&broker, store, 3).await;
        let mine = store_id(store).await.unwrap();
        make_ledger(other).await;
        let running = serve(&broker, other);
        until_stopped(&running, &format!("has handled changes[0] with the store {mine}")).await;
        publish(&broker, 3, 5).await;
        assert!(!running.now().ready);
        running.stop().await.unwrap();
        assert_eq!(rows(other).await, []);
        let (offset, metadata) = committed(&broker, "ledger", "changes").remove(&0).unwrap();
        let progress = Progress::decode(&metadata, offset).unwrap();
        assert_eq!((offset, progress.store.unwrap().to_string()), (3, mine), "as it was");

        // As the sentence says: moved, to where it is.
        move_group(&broker, 3);
        let running = serve(&broker, other);
        until_committed(&broker, 5).await;
        running.stop().await.unwrap();
        assert_eq!(rows(other).await, once(5).split_off(3));
        broker.stop().await;
    }

    async fn a_position_beyond_the_end_or_of_another_cluster_stops_the_partition(ground: &Ground) {
        let store = &ground.store;
        let broker = start(store).await;
        handle_first(&broker, store, 3).await;
        publish(&broker, 3, 5).await;
        let forget = "DELETE FROM tidings_position WHERE consumer_group = 'ledger' AND \
                      topic = 'changes' AND partition = 0";
        let wrong = [
            ("next = 50", "offset 50 of changes[0], which ends at 5"),
            ("next = 3, cluster_id = 'elsewhere'", "is of the cluster elsewhere, and this one is"),
        ];
        for (set, sentence) in wrong {
            by_hand(store, &format!("UPDATE tidings_position SET {set}")).await;
            let running = serve(&broker, store);
            until_stopped(&running, sentence).await;
            until_stopped(&running, forget).await;
            running.stop().await.unwrap();
            assert_eq!((rows(store).await, in_kafka(&broker)), (once(3), Some(3)));
        }
        by_hand(store, forget).await;
        let running = serve(&broker, store);
        until_committed(&broker, 5).await;
        running.stop().await.unwrap();
        assert_eq!((rows(store).await, in_store(store).await.next), (once(5), 5));
        broker.stop().await;
    }

    /// Moved on purpose while an instance has the partition: what that one would write is not
    /// written, to the store or to Kafka.
    async fn a_commit_under_an_older_epoch_fails(ground: &Ground) {
        let store = &ground.store;
        let broker = start(store).await;
        handle_first(&broker, store, 3).await;
        let running = serve(&broker, store).ready().await;
        by_hand(store, "UPDATE tidings_position SET next = 1, epoch = epoch + 1").await;
        publish(&broker, 3, 4).await;
        until("the event", || running.now().handled == 1).await;
        running.stop().await.unwrap();
        assert_eq!((in_store(store).await.next, in_kafka(&broker)), (1, Some(3)));
        let running = serve(&broker, store);
        until_committed(&broker, 4).await;
        assert_eq!(running.now().duplicates, 3, "{:?}", running.now());
        running.stop().await.unwrap();
        assert_eq!((rows(store).await, in_store(store).await.next), (once(4), 4));
        broker.stop().await;
    }
}
