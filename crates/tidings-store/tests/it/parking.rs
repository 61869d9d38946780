//! Parking and draining, statement by statement: who is first, who waits, who may begin.

use std::time::Duration;

use bytes::Bytes;
use tidings_store::inbox::{Entry, Outcome, Standing, insert, look};
use tidings_store::parking::drain::{Drainer, ParkedEvent, done, failed, head, next_due_in};
use tidings_store::parking::{
    Attempts, Failure, Lane, Parcel, Parked, Place, depths, park, park_behind, topics_and_groups,
};
use tidings_store::{Gate, StoreError, Work};

use crate::ground::Ground;
use crate::{Store, on_both};

const CONSUMER: &str = "payments/charge";
const LEASE: Duration = Duration::from_secs(60);
const NOW: Duration = Duration::ZERO;

fn lane(key: &str) -> Lane {
    let lane = format!("k{key}").into_bytes();
    Lane { consumer: CONSUMER.to_owned(), topic: "orders".to_owned(), lane }
}

fn failure(cause: &str) -> Failure {
    Failure {
        cause: cause.to_owned(),
        class: "Timeout".to_owned(),
        place: "src/charge.rs:7:5".to_owned(),
        fingerprint: "0123456789abcdef".to_owned(),
        retryable: true,
    }
}

fn after(count: u32, due_in_ms: Option<u64>) -> Attempts {
    let due_in = due_in_ms.map(Duration::from_millis);
    Attempts { count, first_failed_ms: 1_000, last_failed_ms: 1_000 + i64::from(count), due_in }
}

/// The event at this offset; its id is its offset.
struct Event {
    offset: i64,
    id: String,
}

impl Event {
    fn at(offset: i64) -> Event {
        Event { offset, id: offset.to_string() }
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            consumer: CONSUMER,
            source: "/orders",
            id: &self.id,
            topic: "orders",
            partition: 3,
            offset: self.offset,
            time_ms: Some(7),
        }
    }

    async fn standing(&self, store: &Store, key: &str) -> Standing {
        look(store, &self.entry(), &lane(key)).await.unwrap()
    }

    async fn park(&self, store: &Store, key: &str, due_in_ms: Option<u64>) -> Parked {
        let parcel = Parcel {
            group: "payments",
            key: Some(key.as_bytes()),
            value: None,
            headers: &headers(),
            timestamp_ms: Some(12),
        };
        let mut session = store.begin().await.unwrap();
        let failure = failure("the bank is slow");
        let attempts = after(2, due_in_ms);
        let (entry, lane) = (self.entry(), lane(key));
        let parked = park(&mut session, &entry, &lane, &parcel, &failure, attempts).await.unwrap();
        if matches!(parked, Parked::First | Parked::Behind) {
            session.commit().await.unwrap();
        }
        parked
    }

    async fn park_behind(&self, store: &Store, key: &str) -> Parked {
        let parcel = Parcel {
            group: "payments",
            key: None,
            value: None,
            headers: &vec![],
            timestamp_ms: None,
        };
        let mut session = store.begin().await.unwrap();
        let parked = park_behind(&mut session, &self.entry(), &lane(key), &parcel).await.unwrap();
        if matches!(parked, Parked::First | Parked::Behind) {
            session.commit().await.unwrap();
        }
        parked
    }
}

/// A name twice, a value that is no UTF-8, one that is null.
fn headers() -> tidings_store::Headers {
    vec![
        ("ce_id".to_owned(), Some(Bytes::from_static(b"1"))),
        ("ce_id".to_owned(), Some(Bytes::from_static(b"\xff\x00"))),
        ("gone".to_owned(), None),
    ]
}

async fn first(store: &Store, key: &str) -> Option<ParkedEvent> {
    head(store, &lane(key)).await.unwrap()
}

fn at_head(key: &str, event: &ParkedEvent) -> Gate {
    Gate::Head(lane(key), event.place)
}

/// Handles the first event of a key; `false`: somebody else has it.
async fn drain_first(store: &Store, key: &str, event: &ParkedEvent) -> bool {
    let mut work = Work::alone(store.clone(), at_head(key, event), None);
    let Ok(session) = work.session().await else { return false };
    if !done(session, &lane(key), event).await.unwrap() {
        return false;
    }
    work.commit().await.unwrap();
    true
}

async fn fail_first(store: &Store, key: &str, event: &ParkedEvent, attempts: Attempts) -> bool {
    let mut session = store.begin().await.unwrap();
    let failure = failure("again");
    let written = failed(&mut session, &lane(key), event, &failure, attempts).await.unwrap();
    session.commit().await.unwrap();
    written
}

async fn claim(store: &Store, drainer: &Drainer, horizon: Duration) -> Vec<Lane> {
    drainer.claim(store, &[CONSUMER.to_owned()], horizon, 10).await.unwrap()
}

on_both! {
    async fn later_events_wait_and_go_on_in_order(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        let [one, two, three] = [1, 2, 3].map(Event::at);
        assert_eq!(one.standing(store, "a").await, Standing::New);
        assert_eq!(two.park_behind(store, "a").await, Parked::NotParked);
        assert_eq!(one.park(store, "a", Some(60_000)).await, Parked::First);
        assert_eq!(one.standing(store, "a").await, Standing::Known);
        assert_eq!(two.standing(store, "a").await, Standing::Behind);
        assert_eq!(two.standing(store, "b").await, Standing::New);
        assert_eq!(two.park_behind(store, "a").await, Parked::Behind);
        // What failed while it was not its turn has no failure of its own.
        assert_eq!(three.park(store, "a", None).await, Parked::Behind);
        assert_eq!(two.park(store, "a", None).await, Parked::Elsewhere);

        for expected in [1, 2, 3] {
            let event = first(store, "a").await.unwrap();
            assert_eq!(event.place, Place { partition: 3, offset: expected });
            assert_eq!(event.failure.is_some(), expected == 1);
            assert!(drain_first(store, "a", &event).await);
            assert!(!drain_first(store, "a", &event).await, "it is taken");
        }
        assert_eq!(first(store, "a").await, None);
        assert_eq!(three.standing(store, "a").await, Standing::Known);
        assert_eq!(Event::at(4).standing(store, "a").await, Standing::New);
    }

    async fn a_parked_event_comes_back_as_it_was(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        Event::at(1).park(store, "a", None).await;
        let event = first(store, "a").await.unwrap();
        assert_eq!((event.key, event.value), (Some(b"a".to_vec()), None));
        assert_eq!(event.headers, headers());
        assert_eq!((event.source.as_str(), event.id.as_str()), ("/orders", "1"));
        assert_eq!((event.group.as_str(), event.timestamp_ms), ("payments", Some(12)));
        assert_eq!((event.attempts, event.due_in_ms), (2, None));
        assert_eq!(event.failure, Some(failure("the bank is slow")));
        assert_eq!((event.first_failed_ms, event.last_failed_ms), (Some(1_000), Some(1_002)));
        let depth = depths(store).await.unwrap();
        assert_eq!((depth.len(), depth[0].topic.as_str(), depth[0].events), (1, "orders", 1));
        assert!((0..60_000).contains(&depth[0].oldest_age_ms), "{depth:?}");
        let groups = topics_and_groups(store).await.unwrap();
        assert_eq!(groups, [("orders".to_owned(), "payments".to_owned())]);
    }

    async fn a_parked_key_turns_away_who_comes_later(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        let mut work = Work::alone(store.clone(), Gate::NothingParked(lane("a")), None);
        work.session().await.unwrap();
        drop(work);
        Event::at(1).park(store, "a", Some(0)).await;
        let mut work = Work::alone(store.clone(), Gate::NothingParked(lane("a")), None);
        assert!(matches!(work.session().await, Err(StoreError::NotItsTurn)));
        let event = first(store, "a").await.unwrap();
        assert!(drain_first(store, "a", &event).await);
        let again = work.session().await;
        assert!(matches!(again, Err(StoreError::NotItsTurn)), "a handler that ignored the error");
        Work::alone(store.clone(), Gate::NothingParked(lane("a")), None).session().await.unwrap();
    }

    async fn the_first_is_the_one_that_was_parked_first(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        assert_eq!(Event::at(5).park(store, "a", None).await, Parked::First);
        let fifth = first(store, "a").await.unwrap();
        // As when a key has copies in two partitions. Whatever it failed of, it was not its turn.
        assert_eq!(Event::at(4).park(store, "a", Some(0)).await, Parked::Behind);
        let fourth = ParkedEvent { place: Place { offset: 4, ..fifth.place }, ..fifth.clone() };
        assert!(!drain_first(store, "a", &fourth).await, "it is not the first");
        assert_eq!(first(store, "a").await.as_ref(), Some(&fifth));
        let drainer = Drainer::new("one", LEASE);
        assert!(claim(store, &drainer, LEASE).await.is_empty(), "the first waits for a person");
        assert!(drain_first(store, "a", &fifth).await);
        assert_eq!(first(store, "a").await.unwrap().place, fourth.place);
        assert_eq!(claim(store, &drainer, NOW).await, [lane("a")]);
    }

    async fn who_was_stopped_for_long_overwrites_nothing(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        Event::at(1).park(store, "a", Some(0)).await;
        let stale = first(store, "a").await.unwrap();
        assert!(fail_first(store, "a", &stale, after(3, Some(5_000))).await);
        assert!(!fail_first(store, "a", &stale, after(3, None)).await);
        let event = first(store, "a").await.unwrap();
        assert_eq!((event.attempts, event.first_failed_ms), (3, Some(1_000)));
        assert_eq!((event.last_failed_ms, event.failure), (Some(1_003), Some(failure("again"))));
        let due_in_ms = event.due_in_ms;
        assert!(due_in_ms.is_some_and(|ms| (1..=5_000).contains(&ms)), "{due_in_ms:?}");
        let event = first(store, "a").await.unwrap();
        assert!(drain_first(store, "a", &event).await);
        assert!(!fail_first(store, "a", &event, after(4, None)).await, "it is gone");
        assert_eq!(first(store, "a").await, None);
    }

    async fn lanes_are_claimed_when_they_are_due_and_by_one(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        let consumers = [CONSUMER.to_owned()];
        let (one, two) = (Drainer::new("one", LEASE), Drainer::new("two", LEASE));
        assert_eq!(next_due_in(store, &consumers).await.unwrap(), Duration::from_secs(3600));
        Event::at(1).park(store, "later", Some(30_000)).await;
        Event::at(2).park(store, "never", None).await;
        assert!(claim(store, &one, NOW).await.is_empty());
        let due_in = next_due_in(store, &consumers).await.unwrap();
        assert!((Duration::from_secs(1)..=Duration::from_secs(30)).contains(&due_in), "{due_in:?}");
        Event::at(3).park(store, "now", Some(0)).await;
        let others = one.claim(store, &["payments/refund".to_owned()], LEASE, 10).await.unwrap();
        assert!(others.is_empty(), "another handler's");
        assert_eq!(claim(store, &one, NOW).await, [lane("now")]);
        assert!(claim(store, &two, NOW).await.is_empty(), "somebody has it");
        assert!(next_due_in(store, &consumers).await.unwrap() > Duration::from_secs(1));
        two.release(store, &lane("now")).await.unwrap();
        assert!(claim(store, &two, NOW).await.is_empty(), "it is not his to give back");
        one.renew(store).await.unwrap();
        one.release(store, &lane("now")).await.unwrap();
        assert_eq!(claim(store, &two, LEASE).await.len(), 2);
        two.leave(store).await.unwrap();
        assert_eq!(claim(store, &one, LEASE).await.len(), 2);
        two.take_over(store, "tw").await.unwrap();
        assert!(claim(store, &two, LEASE).await.is_empty(), "it is somebody else's");
        two.take_over(store, "on").await.unwrap();
        assert_eq!(claim(store, &two, LEASE).await.len(), 2, "an earlier life of its own");
        one.take_over(store, "two").await.unwrap();
        let short = Drainer::new("short", Duration::ZERO);
        one.leave(store).await.unwrap();
        assert_eq!(claim(store, &short, NOW).await, [lane("now")]);
        assert_eq!(claim(store, &one, NOW).await, [lane("now")], "its lease has ended");
    }

    async fn what_was_handled_elsewhere_is_not_parked(ground: &Ground) {
        let store = &ground.store;
        store.migrate().await.unwrap();
        let event = Event::at(1);
        let mut session = store.begin().await.unwrap();
        assert!(insert(&mut session, &event.entry(), Outcome::Done).await.unwrap());
        session.commit().await.unwrap();
        assert_eq!(event.park(store, "a", Some(0)).await, Parked::Elsewhere);
        assert_eq!(first(store, "a").await, None);
        assert_eq!(Event::at(2).standing(store, "a").await, Standing::New, "nothing is left of it");
    }
}

/// A handler's transaction that nobody ends, on PostgreSQL, where others can be at work beside it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask stores"]
async fn a_transaction_that_is_left_lying_loses_its_locks_postgres() {
    let ground = Ground::postgres().await;
    let store = &ground.store;
    store.migrate().await.unwrap();
    Event::at(1).park(store, "a", Some(0)).await;
    let event = first(store, "a").await.unwrap();
    let idle_max = Some(Duration::from_millis(300));
    let mut left = Work::alone(store.clone(), at_head("a", &event), idle_max);
    left.session().await.unwrap();
    assert!(fail_first(store, "a", &event, after(3, None)).await);
    assert!(left.commit().await.is_err(), "it was ended");
    assert_eq!(first(store, "a").await.unwrap().attempts, 3);
}
