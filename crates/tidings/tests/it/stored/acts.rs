//! People ask by events on a topic, and one of the instances does it.

use std::time::Instant;

use tidings::acts::{Act, Finished, Outcome, Requested, TOPIC};
use tidings::cloudevents::CloudEvent;
use tidings::dead_letter::{DeadLetter, LetterState};
use tidings::{Draft, FailKind, Publisher, RecordAddress, Store};
use tidings_store::parking::depths;

use super::parking::{row, until_rows};
use super::rig::{Script, Trouble, ledger, make_ledger};
use crate::broker::Broker;
use crate::ground::Ground;
use crate::on_both;
use crate::outbox::rig::{PATIENCE, changed, until_empty};
use crate::services::rig::{Running, records};

async fn until_parked(store: &Store, events: i64) {
    let deadline = Instant::now() + PATIENCE;
    while depths(store).await.unwrap().iter().map(|depth| depth.events).sum::<i64>() != events {
        assert!(Instant::now() < deadline, "{:?}", depths(store).await);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Publishes an act, and waits for its answer.
async fn ask(broker: &Broker, publisher: &Publisher, act: Draft) -> Finished {
    let id = publisher.publish(act).await.unwrap().id;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let events = records(broker, TOPIC);
        let events = events.iter().filter_map(|record| CloudEvent::from_record(record).ok());
        let answers: Vec<Finished> = events.filter_map(|event| Finished::read(&event)).collect();
        let mut own = answers.into_iter().filter(|answer| answer.request == id.as_str());
        if let Some(answer) = own.next() {
            return answer;
        }
        assert!(Instant::now() < deadline, "no answer to {id:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

on_both! {
    async fn a_parked_key_is_redriven_and_an_event_discarded(ground: &Ground) {
        let broker = Broker::start().await;
        let admin = broker.admin().unwrap();
        for topic in ["changes", "booked", "noted"] {
            admin.create(topic, 1, &[]).await.unwrap();
        }
        make_ledger(&ground.store).await;
        let trouble = Trouble::of(FailKind::Reject);
        let start = || {
            let script = Script { trouble: trouble.clone(), ..Script::default() };
            Running::start(ledger(&ground.store, script), &broker)
        };
        let (one, two) = (start().ready().await, start());
        let publisher = broker.publisher().await;
        let receipt = publisher.publish(changed("bad", 2)).await.unwrap();
        publisher.publish(changed("bad", 3)).await.unwrap();
        until_parked(&ground.store, 2).await;
        let address = RecordAddress {
            topic: "changes".to_owned(),
            partition: receipt.partition,
            offset: receipt.offset,
        };
        let about = |act, offset: i64| {
            let address =
                RecordAddress { offset: tidings::Offset(offset), ..address.clone() };
            let asked = Requested::new(act, "ledger", "ada");
            asked.about(Some("book"), &address, Some(b"bad")).draft()
        };
        let first = receipt.offset.0;

        let answer = ask(&broker, &publisher, about(Act::Discard, first + 1)).await;
        assert_eq!(answer.outcome, Outcome::Refused, "{answer:?}");
        let late = about(Act::Redrive, first).extension("expirytime", "2020-01-01T00:00:00Z");
        assert_eq!(ask(&broker, &publisher, late).await.outcome, Outcome::Expired);
        let answer = ask(&broker, &publisher, about(Act::Redrive, first + 7)).await;
        assert!(answer.detail.contains("is not parked with this handler"), "{answer:?}");
        until_parked(&ground.store, 2).await;

        let answer = ask(&broker, &publisher, about(Act::Discard, first)).await;
        assert_eq!((answer.outcome, &*answer.service), (Outcome::Done, "ledger"), "{answer:?}");
        until_rows(&ground.store, &row("bad", [3])).await;

        publisher.publish(changed("bad", 2)).await.unwrap();
        until_parked(&ground.store, 1).await;
        trouble.mend();
        let answer = ask(&broker, &publisher, about(Act::Redrive, first + 2)).await;
        assert_eq!(answer.outcome, Outcome::Done, "{answer:?}");
        until_rows(&ground.store, &row("bad", [2, 3])).await;

        until_empty(&ground.store).await;
        one.stop().await.unwrap();
        two.stop().await.unwrap();
        let copies = records(&broker, "changes.ledger.dlq");
        let states: Vec<LetterState> =
            copies.iter().filter_map(DeadLetter::read).filter_map(|letter| letter.state).collect();
        let expected = [
            LetterState::Parked,
            LetterState::Discarded,
            LetterState::Parked,
            LetterState::Done,
        ];
        assert_eq!(states, expected);
        broker.stop().await;
    }
}
