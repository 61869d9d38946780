//! Many events in one transaction, some of which fail: each still has its effects once, and nobody
//! pays for another one's failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use tidings::FailKind;
use tidings::outbox::status;
use tidings::prelude::*;
use tidings::test::Harness;

use super::rig::{Script, Trouble, ledger, make_ledger, rows};
use crate::ground::Ground;
use crate::on_both;
use crate::outbox::rig::{Changed, changed};

async fn harness(ground: &Ground, script: Script) -> Harness {
    // As on SQLite by itself; on PostgreSQL one asks for it.
    tidings::test::service(ledger(&ground.store, script).batch(500)).await
}

/// Rows with a version each, all at the same time.
async fn handle_all(harness: &Harness, all: &[(String, i64)]) {
    let one = |(row, version): &(String, i64)| harness.handle(changed(row, *version));
    drop(join_all(all.iter().map(one)).await);
}

fn at_once(count: i64) -> Vec<(String, i64)> {
    let mut all: Vec<_> = (0..count).map(|n| (format!("row-{n}"), n)).collect();
    all.sort();
    all
}

async fn pending(ground: &Ground) -> i64 {
    status(&ground.store).await.unwrap().pending
}

on_both! {
    async fn each_event_has_its_effects_once_whatever_fails_beside_it(ground: &Ground) {
        make_ledger(&ground.store).await;
        // Each tenth fails three times, with everything written: too few for an outage.
        let harness = harness(ground, Script { stumbles: true, ..Script::default() }).await;
        let all = at_once(90);
        handle_all(&harness, &all).await;
        assert_eq!(rows(&ground.store).await, all);
        // What each returned and what it wrote itself. And of those that stumbled the copies that
        // say so: that it is done, that the second attempt failed, and the third one, unless one
        // before did not count.
        let copies = pending(ground).await - 90 * 2;
        assert!((9 * 2..=9 * 3).contains(&copies), "{copies}");
    }

    async fn one_that_is_parked_takes_nobody_with_it(ground: &Ground) {
        make_ledger(&ground.store).await;
        let trouble = Trouble::of(FailKind::Reject);
        let script = Script { trouble: trouble.clone(), ..Script::default() };
        let harness = harness(ground, script).await;
        let mut all = at_once(100);
        let bad = ("bad".to_owned(), 2);
        all.insert(50, bad.clone());
        handle_all(&harness, &all).await;
        all.retain(|row| *row != bad);
        assert_eq!(rows(&ground.store).await, all);
        trouble.mend();
        assert_eq!(harness.redrive().await.published().len(), 1);
        all.insert(0, bad);
        assert_eq!(rows(&ground.store).await, all);
    }

    async fn a_handler_that_wants_to_be_alone_is(ground: &Ground) {
        make_ledger(&ground.store).await;
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let outside = move |_: Changed| {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok::<(), Fail>(()))
        };
        let script = Script { stumbles: true, ..Script::default() };
        let service = ledger(&ground.store, script).batch(500).on("outside", outside).batch(1);
        let harness = tidings::test::service(service).await;
        let all = at_once(90);
        handle_all(&harness, &all).await;
        assert_eq!(rows(&ground.store).await, all);
        assert_eq!(calls.load(Ordering::Relaxed), 90, "nobody's failure was its own");
    }
}

#[test]
fn a_batch_of_nothing_is_refused() {
    let service = Service::new("none").on("nothing", |_: Changed| async { Ok::<(), Fail>(()) });
    let refused = service.batch(0).check().unwrap_err().to_string();
    assert!(refused.contains("`.batch(1)` is an event alone"), "{refused}");
    let refused = Service::new("none").batch(2).check().unwrap_err().to_string();
    assert!(refused.contains("write it behind the `.on(..)`"), "{refused}");
}
