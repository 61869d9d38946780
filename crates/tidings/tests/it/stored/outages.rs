//! What a handler depends on is away, with a store: no key uses its attempts up, none is left
//! without a next attempt, order stays, and it ends by itself.

use std::time::{Duration, Instant};

use sqlx::{Executor as _, Row as _};
use tidings::dead_letter::{DeadLetter, LetterState};
use tidings::{FailKind, Store};

use super::parking::{row, until_rows};
use super::rig::{Script, Trouble, ledger, make_ledger, rows};
use crate::broker::Broker;
use crate::ground::Ground;
use crate::on_both;
use crate::outbox::rig::{PATIENCE, changed, first_copies, on_topic, until_empty};
use crate::services::rig::{Running, records, until};

/// How many events are parked, how many of them wait for a person, and the most attempts of one.
async fn parked(store: &Store) -> (i64, i64, i64) {
    let sql = "SELECT count(*), \
               coalesce(sum(CASE WHEN cause IS NOT NULL AND due_at_ms IS NULL THEN 1 ELSE 0 END), \
               0), CAST(coalesce(max(attempts), 0) AS bigint) FROM tidings_parked";
    macro_rules! read {
        ($pool:expr) => {{
            let row = $pool.fetch_one(sql).await.unwrap();
            (row.get(0), row.get(1), row.get(2))
        }};
    }
    match (store.sqlite_pool(), store.postgres_pool()) {
        (Some(pool), _) => read!(pool),
        (_, Some(pool)) => read!(pool),
        _ => unreachable!(),
    }
}

async fn until_parked(store: &Store, is_so: impl Fn((i64, i64, i64)) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so(parked(store).await) {
        assert!(Instant::now() < deadline, "{:?}", parked(store).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn start(ground: &Ground, trouble: &Trouble) -> (Broker, Running) {
    let broker = Broker::start().await;
    let admin = broker.admin().unwrap();
    for topic in ["changes", "booked", "noted"] {
        admin.create(topic, 2, &[]).await.unwrap();
    }
    make_ledger(&ground.store).await;
    let script = Script { trouble: trouble.clone(), ..Script::default() };
    let running = Running::start(ledger(&ground.store, script), &broker).ready().await;
    (broker, running)
}

fn is_away(running: &Running) -> bool {
    running.stats.notes().iter().any(|note| note.starts_with("handler book: "))
}

const KEYS: i64 = 40;

/// Each key's versions are there once and were published in order, and nothing is parked.
async fn check_all(ground: &Ground, broker: &Broker) {
    let mut all: Vec<(String, i64)> =
        (0..KEYS).flat_map(|key| row(&format!("k{key}"), 1..=2)).collect();
    all.sort();
    until_rows(&ground.store, &all).await;
    until_parked(&ground.store, |(events, ..)| events == 0).await;
    until_empty(&ground.store).await;
    let booked = on_topic(broker.settings(), "booked").await;
    assert_eq!(booked.len() as i64, KEYS);
    assert!(booked.values().all(|copies| first_copies(copies) == [1, 2]), "{booked:?}");
}

on_both! {
    async fn no_attempt_is_counted_while_everything_fails(ground: &Ground) {
        let trouble = Trouble::with_all(FailKind::Retry);
        let (broker, running) = start(ground, &trouble).await;
        let publisher = broker.publisher().await;
        // Too few to tell: each is parked, to be tried again.
        for key in 0..5 {
            publisher.publish(changed(format!("k{key}"), 1)).await.unwrap();
        }
        until_parked(&ground.store, |(events, ..)| events == 5).await;
        for key in 5..KEYS {
            publisher.publish(changed(format!("k{key}"), 1)).await.unwrap();
        }
        for key in 0..KEYS {
            publisher.publish(changed(format!("k{key}"), 2)).await.unwrap();
        }
        until("the outage", || is_away(&running)).await;
        let (_, for_people, attempts) = parked(&ground.store).await;
        assert!(for_people == 0 && attempts < 5, "{for_people} {attempts}");
        // Until then the first ones of these keys have had turns, all of which failed.
        let tried = running.now().retried;
        until("probes", || running.now().retried > tried + 5).await;
        let (events, for_people, attempts_now) = parked(&ground.store).await;
        assert_eq!((for_people, attempts_now), (0, attempts));
        assert!(events < 2 * 20, "{events} events of 40 keys: those that come later do not wait");

        trouble.mend();
        check_all(ground, &broker).await;
        until("its end", || !is_away(&running)).await;
        assert_eq!(running.now().dead_lettered, 0);
        running.stop().await.unwrap();
        let letters = records(&broker, "changes.ledger.dlq");
        let letters: Vec<DeadLetter> = letters.iter().filter_map(DeadLetter::read).collect();
        assert!(!letters.is_empty());
        assert!(letters.iter().all(|letter| letter.state != Some(LetterState::Parked)));
        broker.stop().await;
    }

    /// Their attempts are used up one after the other, faster than there are ten keys. In a test
    /// delays pass at once.
    async fn what_was_given_up_just_before_is_tried_again(ground: &Ground) {
        make_ledger(&ground.store).await;
        let trouble = Trouble::with_all(FailKind::Retry);
        let script = Script { trouble: trouble.clone(), ..Script::default() };
        let t = tidings::test::service(ledger(&ground.store, script)).await;
        for key in 0..9 {
            let handled = t.handle(changed(format!("k{key}"), 1)).await;
            handled.expect_dead_letter("the bank does not answer");
        }
        assert_eq!(parked(&ground.store).await, (9, 9, 5));
        let tenth = t.handle(changed("k9", 1)).await.expect_waiting("the bank does not answer");
        assert_eq!(tenth.published().len(), 0);
        let (events, for_people, attempts) = parked(&ground.store).await;
        assert_eq!((events, for_people, attempts), (9, 0, 5), "the tenth waits in its lane");

        trouble.mend();
        t.handle(changed("k9", 1)).await.published();
        let all: Vec<(String, i64)> =
            (0..10).flat_map(|key| row(&format!("k{key}"), [1])).collect();
        assert_eq!(rows(&ground.store).await, all);
        assert_eq!(parked(&ground.store).await, (0, 0, 0));
    }

    async fn a_handler_that_says_so_waits_with_all_its_keys(ground: &Ground) {
        let trouble = Trouble::with_all(FailKind::Down);
        let (broker, running) = start(ground, &trouble).await;
        let publisher = broker.publisher().await;
        for version in 1..=2 {
            for key in 0..KEYS {
                publisher.publish(changed(format!("k{key}"), version)).await.unwrap();
            }
        }
        until("the outage", || is_away(&running)).await;
        let tried = running.now().retried;
        until("probes", || running.now().retried > tried + 3).await;
        assert_eq!(parked(&ground.store).await, (0, 0, 0), "all wait in their lanes");
        // A stop does not wait for turns, and whoever comes next goes on.
        let began = Instant::now();
        running.stop().await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        trouble.mend();
        let script = Script { trouble: trouble.clone(), ..Script::default() };
        let next = Running::start(ledger(&ground.store, script), &broker).ready().await;
        check_all(ground, &broker).await;
        assert!(!is_away(&next));
        next.stop().await.unwrap();
        broker.stop().await;
    }
}
