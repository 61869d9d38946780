//! Events that cannot be handled now: they wait, those of their keys behind them, and nobody else.

use std::time::{Duration, Instant};

use tidings::cloudevents::{CloudEvent, Record};
use tidings::dead_letter::{DeadLetter, LetterState};
use tidings::parking::{redrive, waiting};
use tidings::test::{Handled, Harness};
use tidings::{FailKind, Offset, PartitionId, Retries, Store};
use tidings_store::parking::depths;

use super::rig::{Booked, Script, Trouble, ledger, make_ledger, rows};
use crate::broker::Broker;
use crate::ground::Ground;
use crate::on_both;
use crate::outbox::rig::{Changed, PATIENCE, changed, first_copies, on_topic, until_empty};
use crate::services::rig::{Running, records};

pub fn row(name: &str, versions: impl IntoIterator<Item = i64>) -> Vec<(String, i64)> {
    versions.into_iter().map(|version| (name.to_owned(), version)).collect()
}

async fn harness(ground: &Ground, trouble: &Trouble) -> Harness {
    make_ledger(&ground.store).await;
    let script = Script { trouble: trouble.clone(), ..Script::default() };
    tidings::test::service(ledger(&ground.store, script)).await
}

/// Events that come without a broker, each at an offset of its own.
struct Coming<'a> {
    harness: &'a Harness,
    offset: i64,
}

impl Coming<'_> {
    async fn next(&mut self, key: Option<&str>, data: &str) -> Handled {
        self.offset += 1;
        let event = CloudEvent {
            id: format!("0199-{}", self.offset).into(),
            source: "/elsewhere".into(),
            ty: "com.example.row.changed.v1".into(),
            data: Some(data.to_owned().into()),
            ..CloudEvent::default()
        };
        self.record(key, Some(data), event.to_headers()).await
    }

    async fn changed(&mut self, key: Option<&str>, event: Changed) -> Handled {
        self.next(key, &serde_json::to_string(&event).unwrap()).await
    }

    async fn record(
        &self,
        key: Option<&str>,
        value: Option<&str>,
        headers: tidings::cloudevents::Headers,
    ) -> Handled {
        let record = Record {
            topic: "changes".to_owned(),
            partition: PartitionId(0),
            offset: Offset(self.offset),
            key: key.map(|key| key.to_owned().into()),
            value: value.map(|value| value.to_owned().into()),
            headers,
            ..Record::default()
        };
        self.harness.handle_record(record).await
    }
}

/// How many events are parked.
async fn depth(store: &Store) -> i64 {
    depths(store).await.unwrap().iter().map(|depth| depth.events).sum()
}

on_both! {
    async fn those_behind_a_rejected_event_wait_until_it_is_redriven(ground: &Ground) {
        let trouble = Trouble::of(FailKind::Reject);
        let harness = harness(ground, &trouble).await;
        let mut coming = Coming { harness: &harness, offset: 0 };
        coming.changed(Some("bad"), changed("bad", 1)).await;
        let rejected = coming.changed(Some("bad"), changed("bad", 2)).await;
        assert_eq!(rejected.dead_letters()[0].letter.state, Some(LetterState::Parked));
        assert_eq!(rejected.expect_dead_letter("no such customer").attempts(), 1);
        let behind = coming.changed(Some("bad"), changed("bad", 3)).await;
        assert_eq!((behind.attempts(), behind.dead_letters().len()), (0, 0));
        coming.changed(Some("good"), changed("good", 2)).await;
        let there = [row("bad", [1]), row("good", [2])].concat();
        assert_eq!((rows(&ground.store).await, depth(&ground.store).await), (there, 2));

        harness.redrive().await.expect_dead_letter("no such customer");
        trouble.mend();
        let redriven = harness.redrive().await;
        let versions: Vec<i64> =
            redriven.published_of::<Booked>().iter().map(|b| b.version).collect();
        assert_eq!(versions, [2, 3], "the first one first");
        assert_eq!(depth(&ground.store).await, 0);
        coming.changed(Some("bad"), changed("bad", 4)).await;
        let there = [row("bad", 1..=4), row("good", [2])].concat();
        assert_eq!(rows(&ground.store).await, there);
    }

    async fn people_see_which_keys_wait_and_let_them_be_tried_again(ground: &Ground) {
        let trouble = Trouble::of(FailKind::Reject);
        let harness = harness(ground, &trouble).await;
        let mut coming = Coming { harness: &harness, offset: 0 };
        for version in 2..=3 {
            let _parked = coming.changed(Some("bad"), changed("bad", version)).await;
        }
        let store = &ground.store;
        assert!(waiting(store, "ledger", "look", 10).await.unwrap().is_empty());
        let keys = waiting(store, "ledger", "book", 10).await.unwrap();
        let [key] = &keys[..] else { panic!("{keys:?}") };
        assert_eq!((key.address.to_string(), key.attempts), ("changes[0]@1".to_owned(), 1));
        assert_eq!((key.key.as_deref(), &*key.cause), (Some(&b"bad"[..]), "no such customer"));
        trouble.mend();
        assert!(redrive(store, key).await.unwrap());
        assert!(!redrive(store, key).await.unwrap(), "it is due already");
        // Whoever runs drains it.
        assert_eq!(coming.changed(None, changed("other", 1)).await.published().len(), 3);
        assert!(!redrive(store, key).await.unwrap());
        assert_eq!(rows(store).await, [row("bad", 2..=3), row("other", [1])].concat());
    }

    async fn data_that_cannot_be_read_holds_its_key(ground: &Ground) {
        let harness = harness(ground, &Trouble::default()).await;
        let mut coming = Coming { harness: &harness, offset: 0 };
        coming.next(Some("a"), "{}").await.expect_dead_letter("missing field");
        assert_eq!(coming.changed(Some("a"), changed("a", 1)).await.attempts(), 0);
        assert_eq!(coming.changed(Some("b"), changed("b", 1)).await.published().len(), 1);
        assert_eq!(depth(&ground.store).await, 2);
        harness.redrive().await.expect_dead_letter("missing field");
    }

    async fn what_has_no_key_or_is_no_event_waits_alone(ground: &Ground) {
        let harness = harness(ground, &Trouble::of(FailKind::Reject)).await;
        let mut coming = Coming { harness: &harness, offset: 0 };
        coming.changed(None, changed("bad", 2)).await.expect_dead_letter("no such customer");
        assert_eq!(coming.changed(None, changed("other", 1)).await.published().len(), 1);
        coming.offset += 1;
        for _ in 0..2 {
            let no_event = coming.record(Some("other"), Some("?"), vec![]).await;
            assert_eq!(no_event.published().len(), 0);
        }
        assert_eq!(depth(&ground.store).await, 2, "come twice, it waits once");
        assert_eq!(coming.changed(Some("other"), changed("other", 2)).await.published().len(), 1);
        let again = harness.redrive().await;
        again.expect_dead_letter("no such customer").expect_dead_letter("is no event");
        assert_eq!(depth(&ground.store).await, 2);
    }

    /// With a broker: the group's offset goes on, other keys too; the copies say what became of it.
    async fn a_key_that_fails_waits_in_order_while_the_others_go_on(ground: &Ground) {
        let broker = Broker::start().await;
        let admin = broker.admin().unwrap();
        for topic in ["changes", "booked", "noted"] {
            admin.create(topic, 2, &[]).await.unwrap();
        }
        make_ledger(&ground.store).await;
        let trouble = Trouble::of(FailKind::Retry);
        let start = || {
            let script = Script { trouble: trouble.clone(), ..Script::default() };
            let often = Retries::default().attempts(10_000).delays_up_to(Duration::from_secs(1000));
            let service = ledger(&ground.store, script).retries(often);
            // Nobody waits for the session of the first one, which does not take its leave.
            Running::start_with(service, &broker, &[("session.timeout.ms", "6000")])
        };
        let first = start();
        let publisher = broker.publisher().await;
        for version in 1..=5 {
            for key in ["bad", "good", "other"] {
                publisher.publish(changed(key, version)).await.unwrap();
            }
        }
        let before = [row("bad", [1]), row("good", 1..=5), row("other", 1..=5)].concat();
        until_rows(&ground.store, &before).await;
        let deadline = Instant::now() + PATIENCE;
        while depth(&ground.store).await < 4 {
            assert!(Instant::now() < deadline, "{} are parked", depth(&ground.store).await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(rows(&ground.store).await, before);

        // Who drains is gone, and another instance goes on.
        first.kill().await;
        trouble.mend();
        let second = start();
        publisher.publish(changed("bad", 6)).await.unwrap();
        let all = [row("bad", 1..=6), row("good", 1..=5), row("other", 1..=5)].concat();
        until_rows(&ground.store, &all).await;
        until_empty(&ground.store).await;
        let booked = on_topic(broker.settings(), "booked").await;
        assert_eq!(first_copies(&booked["bad"]), [1, 2, 3, 4, 5, 6]);
        let copies = records(&broker, "changes.ledger.dlq");
        let letters: Vec<DeadLetter> = copies.iter().filter_map(DeadLetter::read).collect();
        assert!(letters.iter().all(|letter| letter.offset == letters[0].offset), "{letters:?}");
        let states: Vec<LetterState> = letters.iter().filter_map(|letter| letter.state).collect();
        assert_eq!(states.len(), copies.len());
        assert_eq!(states.first(), Some(&LetterState::Retrying));
        assert_eq!(states.last(), Some(&LetterState::Done));
        assert_eq!(copies[0].key.as_deref(), Some(b"bad".as_slice()));
        second.stop().await.unwrap();
        broker.stop().await;
    }
}

pub async fn until_rows(store: &Store, wanted: &[(String, i64)]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = rows(store).await;
        if found == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
