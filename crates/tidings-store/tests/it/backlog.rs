//! What is read, what is held back, and what goes.

use std::time::Duration;

use tidings_store::backlog::{
    HeldScope, WaitingRow, acknowledged, due, held, hold, let_go, next_due_in, status, waiting,
};
use tidings_store::slots::{Holder, Lease};
use tidings_store::{LEASE, Store};

use crate::ground::Ground;
use crate::on_both;
use crate::rows::{publish, row};

async fn relay(store: &Store) -> (Holder, Vec<Lease>) {
    let holder = Holder::new("relay", LEASE);
    let leases = holder.balance(store).await.unwrap();
    (holder, leases)
}

async fn read(store: &Store, leases: &[Lease]) -> Vec<WaitingRow> {
    waiting(store, leases, 100, usize::MAX).await.unwrap()
}

fn values(rows: &[WaitingRow]) -> Vec<String> {
    let value = |row: &WaitingRow| String::from_utf8(row.payload.clone().unwrap()).unwrap();
    rows.iter().map(value).collect()
}

const LATER: Duration = Duration::from_secs(60);

on_both! {
    async fn a_read_ends_at_its_rows_and_at_its_bytes(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let (_, leases) = relay(&store).await;
        let large = "x".repeat(1000);
        let rows: Vec<_> = (0..10).map(|_| row("t", None, &large)).collect();
        publish(&store, &rows).await;
        let read = async |rows, bytes| waiting(&store, &leases, rows, bytes).await.unwrap().len();
        assert_eq!(read(4, usize::MAX).await, 4);
        // One more once it is not full; and one at least, however large.
        assert_eq!(read(10, 2500).await, 3);
        assert_eq!(read(10, 1).await, 1);
        assert_eq!(waiting(&store, &[], 10, usize::MAX).await.unwrap(), []);
    }

    async fn acknowledged_rows_go(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let (holder, leases) = relay(&store).await;
        publish(&store, &[row("t", Some("a"), "1"), row("t", Some("b"), "2")]).await;
        let rows = read(&store, &leases).await;
        let gone = acknowledged(&store, &holder, &leases, &[rows[0].position]).await.unwrap();
        assert_eq!(gone, 1);
        assert_eq!(values(&read(&store, &leases).await), [values(&rows)[1].as_str()]);
    }

    async fn a_held_row_holds_what_its_scope_says(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let (holder, leases) = relay(&store).await;
        publish(&store, &[
            row("t", Some("bad"), "bad 1"),
            row("t", Some("good"), "good"),
            row("t", Some("bad"), "bad 2"),
            row("u", Some("bad"), "the same key elsewhere"),
            row("t", None, "no key, bad"),
            row("t", None, "no key, good"),
        ]).await;
        let rows = read(&store, &leases).await;
        let is = |row: &WaitingRow, value: &str| row.payload.as_deref() == Some(value.as_bytes());
        let find = |value: &str| rows.iter().find(|row| is(row, value)).unwrap();
        let put = async |value: &str, scope| {
            hold(&store, &holder, &leases, find(value), scope, "too large", LATER).await.unwrap();
        };
        put("bad 1", HeldScope::Key).await;
        put("no key, bad", HeldScope::Row).await;
        let mut left = values(&read(&store, &leases).await);
        left.sort_unstable();
        assert_eq!(left, ["good", "no key, good", "the same key elsewhere"]);

        let told = held(&store, 10).await.unwrap();
        let bad = told.iter().find(|held| held.scope == "key").unwrap();
        assert_eq!((bad.topic.as_str(), bad.key.as_deref()), ("t", Some(&b"bad"[..])));
        assert_eq!((bad.cause.as_str(), bad.attempts), ("too large", 1));
        assert!(bad.next_try_in_ms > 50_000 && bad.held_for_ms >= 0, "{bad:?}");
        assert_eq!(status(&store).await.unwrap().held, 2);

        // Nothing is due, and then one is: a key is let go with its first row.
        assert_eq!(due(&store, &leases, 10).await.unwrap(), []);
        assert!(next_due_in(&store, &leases).await.unwrap() > Duration::from_secs(50));
        let again = find("bad 1");
        let now = Duration::ZERO;
        hold(&store, &holder, &leases, again, HeldScope::Key, "still", now).await.unwrap();
        let due_now = due(&store, &leases, 10).await.unwrap();
        assert_eq!(due_now.len(), 1);
        assert_eq!((due_now[0].row.as_ref(), due_now[0].attempts), (Some(again), 2));
        let_go(&store, &holder, &leases, again.position).await.unwrap();
        let left = values(&read(&store, &leases).await);
        assert!(left.contains(&"bad 2".to_owned()) && !left.contains(&"bad 1".to_owned()));
        assert_eq!(status(&store).await.unwrap().held, 1);
    }

    async fn a_topic_is_held_whole(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let (holder, leases) = relay(&store).await;
        publish(&store, &[row("missing", Some("a"), "1"), row("there", Some("a"), "2")]).await;
        // Of one slot, since each slot holds what is its own.
        publish(&store, &[row("missing", Some("a"), "3"), row("missing", None, "4")]).await;
        let rows = read(&store, &leases).await;
        let first = &rows[0];
        hold(&store, &holder, &leases, first, HeldScope::Topic, "no topic", LATER).await.unwrap();
        let left = values(&read(&store, &leases).await);
        assert!(!left.contains(&"3".to_owned()) && left.contains(&"2".to_owned()), "{left:?}");
    }

    async fn a_row_held_for_its_topic_can_be_held_for_itself_later(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let (holder, leases) = relay(&store).await;
        publish(&store, &[row("t", Some("a"), "1")]).await;
        let rows = read(&store, &leases).await;
        let put = async |scope, cause| {
            hold(&store, &holder, &leases, &rows[0], scope, cause, LATER).await.unwrap();
        };
        put(HeldScope::Topic, "no topic").await;
        put(HeldScope::Key, "too large").await;
        let told = held(&store, 10).await.unwrap();
        assert_eq!((told[0].scope.as_str(), told[0].key.as_deref()), ("key", Some(&b"a"[..])));
        assert_eq!((told[0].cause.as_str(), told[0].attempts), ("too large", 2));
        // Whatever time stands there, it is looked at again within the hour.
        let ages = Duration::from_secs(1 << 40);
        hold(&store, &holder, &leases, &rows[0], HeldScope::Key, "x", ages).await.unwrap();
        assert_eq!(next_due_in(&store, &leases).await.unwrap(), Duration::from_secs(3600));
    }

    /// It still has other slots, but the one of the row went to another relay, which holds it.
    async fn what_another_relay_holds_is_not_let_go(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        let (holder, leases) = relay(&store).await;
        publish(&store, &[row("t", Some("a"), "1")]).await;
        let rows = read(&store, &leases).await;
        hold(&store, &holder, &leases, &rows[0], HeldScope::Key, "x", LATER).await.unwrap();
        let others: Vec<Lease> =
            leases.iter().copied().filter(|lease| lease.slot != rows[0].slot).collect();
        let_go(&store, &holder, &others, rows[0].position).await.unwrap();
        let status = status(&store).await.unwrap();
        assert_eq!((status.held, status.pending), (1, 1));
    }

    async fn who_lost_its_slots_changes_nothing(ground: &Ground) {
        let store = ground.store.clone();
        store.migrate().await.unwrap();
        publish(&store, &[row("t", Some("a"), "1")]).await;
        // Its lease is over at once: it was stopped, and another one came.
        let stopped = Holder::new("stopped", Duration::ZERO);
        let old = stopped.balance(&store).await.unwrap();
        let rows = read(&store, &old).await;
        let (holder, leases) = relay(&store).await;
        assert_eq!(leases.len(), old.len());
        let position = rows[0].position;
        assert_eq!(acknowledged(&store, &stopped, &old, &[position]).await.unwrap(), 0);
        let wrong = hold(&store, &stopped, &old, &rows[0], HeldScope::Key, "x", LATER).await;
        wrong.unwrap();
        let_go(&store, &stopped, &old, position).await.unwrap();
        assert_eq!(status(&store).await.unwrap().held, 0);
        assert_eq!(read(&store, &leases).await.len(), 1);
        // Nor does its epoch count, should it come back to the same slots.
        assert_eq!(acknowledged(&store, &holder, &old, &[position]).await.unwrap(), 0);
        assert_eq!(acknowledged(&store, &holder, &leases, &[position]).await.unwrap(), 1);
    }
}
