//! One event and its effects, without a broker: handled again, failed, at two places at once.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use tidings::cloudevents::CloudEvent;
use tidings::outbox::{Dialect, status};
use tidings::test::{Handled, Harness};
use tidings::{Fail, Outbox, Publisher, Retries, Service, Store, Tx};
use tokio::sync::Barrier;

use super::rig::{Script, ledger, make_ledger, rows};
use crate::ground::Ground;
use crate::on_both;
use crate::outbox::rig::{Changed, changed};

async fn harness(ground: &Ground, script: Script) -> Harness {
    tidings::test::service(ledger(&ground.store, script)).await
}

/// The same event each time.
async fn handle(harness: &Harness) -> Handled {
    let data = serde_json::to_vec(&changed("a", 7)).unwrap();
    let event = CloudEvent {
        id: "0199".into(),
        source: "/elsewhere".into(),
        ty: "com.example.row.changed.v1".into(),
        data: Some(data.into()),
        ..CloudEvent::default()
    };
    harness.handle_cloud_event(event, "changes", Some("a")).await
}

async fn pending(store: &Store) -> u64 {
    status(store).await.unwrap().pending as u64
}

fn once() -> Vec<(String, i64)> {
    vec![("a".to_owned(), 7)]
}

on_both! {
    async fn an_event_that_comes_again_does_nothing_again(ground: &Ground) {
        make_ledger(&ground.store).await;
        let harness = harness(ground, Script::default()).await;
        let first = handle(&harness).await;
        assert_eq!(first.published().len(), 1, "what the handler returned");
        for _ in 0..2 {
            handle(&harness).await.expect_duplicate();
        }
        assert_eq!(rows(&ground.store).await, once());
        assert_eq!(pending(&ground.store).await, 2, "what it returned, and what it wrote itself");
        // Another service is another consumer.
        let other = Service::new("other").store(ground.store.clone());
        let other = tidings::test::service(other.on("look", look)).await;
        assert_eq!(handle(&other).await.published().len(), 0);
    }

    async fn an_attempt_that_fails_leaves_nothing(ground: &Ground) {
        make_ledger(&ground.store).await;
        let fail_first = Arc::new(AtomicU32::new(2));
        let harness = harness(ground, Script { fail_first, ..Script::default() }).await;
        assert_eq!(handle(&harness).await.published().len(), 1);
        assert_eq!(rows(&ground.store).await, once());
        // And copies that say: it is tried again, it is done.
        assert_eq!(pending(&ground.store).await, 2 + 2);
    }

    async fn what_is_given_up_waits_for_people_and_leaves_nothing_else(ground: &Ground) {
        make_ledger(&ground.store).await;
        let fail_first = Arc::new(AtomicU32::new(5));
        let harness = harness(ground, Script { fail_first, ..Script::default() }).await;
        let handled = handle(&harness).await.expect_dead_letter("the script says so");
        assert_eq!((handled.attempts(), handled.published().len()), (5, 0));
        assert!(handled.waited() > Duration::from_secs(15), "{:?}", handled.waited());
        let copies = 4; // Of all failures but the first, which is followed by the next attempt.
        assert_eq!((rows(&ground.store).await, pending(&ground.store).await), (vec![], copies));
        // Sent again, it still waits.
        handle(&harness).await.expect_duplicate();
        assert_eq!(harness.redrive().await.published().len(), 1);
        assert_eq!(rows(&ground.store).await, once());
    }

    /// Two instances have the same event at the same time, as after a session that timed out: both
    /// have asked the inbox, and it knew nothing.
    async fn handled_at_two_places_at_once(ground: &Ground) {
        make_ledger(&ground.store).await;
        let script = Script { meet: Some(Arc::new(Barrier::new(2))), ..Script::default() };
        let one = harness(ground, script.clone()).await;
        let two = harness(ground, script).await;
        let (one, two) = tokio::join!(handle(&one), handle(&two));
        assert_eq!(one.published().len() + two.published().len(), 1);
        assert_eq!(rows(&ground.store).await, once());
        assert_eq!(pending(&ground.store).await, 2);
    }

    /// PostgreSQL gives the transaction up at the first error, and would answer its commit with
    /// success; SQLite only takes back the statement.
    async fn a_handler_that_swallows_the_error_of_a_statement(ground: &Ground) {
        make_ledger(&ground.store).await;
        let harness = harness(ground, Script { swallow: true, ..Script::default() }).await;
        let handled = handle(&harness).await;
        match ground.store.dialect() {
            Dialect::Sqlite => assert_eq!(handled.published().len(), 1),
            Dialect::Postgres => {
                handled.expect_dead_letter("aborted");
                assert_eq!((rows(&ground.store).await, pending(&ground.store).await), (vec![], 4));
            }
        }
    }

    async fn what_does_not_fit_the_store_is_refused_before_it_runs(ground: &Ground) {
        let refused = |service: Service| service.check().unwrap_err().findings().join("\n");
        let with = || Service::new("s").store(ground.store.clone());
        let without = Service::new("s").on("tx", on_sqlite).on("outbox", with_outbox);
        let findings = refused(without);
        assert!(findings.contains("handler `tx` takes a Tx or an Outbox, which need a store"));
        assert!(findings.contains("handler `outbox` takes a Tx or an Outbox"), "{findings}");
        let findings = match ground.store.dialect() {
            Dialect::Sqlite => refused(with().on("tx", on_postgres)),
            Dialect::Postgres => refused(with().on("tx", on_sqlite)),
        };
        assert!(findings.contains("and the service's store is on"), "{findings}");
        let findings = refused(with().on("publisher", with_publisher));
        assert!(findings.contains("would not be in the transaction"), "{findings}");
        with().on("outbox", with_outbox).check().unwrap();
    }
}

mod a_handler_that_keeps_its_transaction {
    use super::*;

    /// On PostgreSQL alone: on SQLite the one that is kept is the one writer, and further attempts
    /// wait until the task lets go of it.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs PostgreSQL: cargo xtask stores"]
    async fn postgres() {
        let ground = Ground::postgres().await;
        make_ledger(&ground.store).await;
        let script = Script { keep: true, ..Script::default() };
        let service = ledger(&ground.store, script).retries(Retries::default().attempts(2));
        let harness = tidings::test::service(service).await;
        handle(&harness).await.expect_dead_letter("kept its Tx");
        assert_eq!((rows(&ground.store).await, pending(&ground.store).await), (vec![], 1));
    }
}

async fn look(_: Changed) -> Result<(), Fail> {
    Ok(())
}

async fn on_sqlite(_: Changed, _: Tx<sqlx::Sqlite>) -> Result<(), Fail> {
    Ok(())
}

async fn on_postgres(_: Changed, _: Tx<sqlx::Postgres>) -> Result<(), Fail> {
    Ok(())
}

async fn with_outbox(_: Changed, _: Outbox) -> Result<(), Fail> {
    Ok(())
}

async fn with_publisher(_: Changed, _: Publisher) -> Result<(), Fail> {
    Ok(())
}
