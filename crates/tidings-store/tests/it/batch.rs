//! Batches: who is in one transaction with whom, and what one does to the others.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tidings_store::batch::{Batches, Carries, Company, Finished, Terms, Verdict};
use tidings_store::inbox::{Event, Outcome, Standing, insert, look};
use tidings_store::outbox::NewRow;
use tidings_store::parking::{Lane, Place};
use tidings_store::{Connection as _, Session, StoreError, Value, Work};

use crate::ground::Ground;
use crate::{Store, on_both};

const MINUTE: Duration = Duration::from_secs(60);
const TERMS: Terms = Terms { events_max: 100, open_max: MINUTE, idle_max: MINUTE };

/// A handler's attempt at the event of this number, each of another key.
struct Attempt {
    work: Work,
    company: Company,
    id: String,
}

impl Attempt {
    fn new(batches: &Batches, id: &str) -> Attempt {
        let company = Company::default();
        let work = Work::in_batch(batches.seat(TERMS, &company));
        Attempt { work, company, id: id.to_owned() }
    }

    async fn session(&mut self) -> &mut Session {
        self.work.session().await.unwrap()
    }

    /// A row of the service's own.
    async fn write(mut self) -> Attempt {
        let id = self.id.clone();
        let sql = "INSERT INTO ledger (id) VALUES ($1)";
        self.session().await.execute(sql, &[Value::Text(Some(&id))]).await.unwrap();
        self
    }

    async fn finish(self) -> Verdict {
        self.finish_with(Nothing).await
    }

    async fn finish_with(self, rows: impl Carries + 'static) -> Verdict {
        let event = Arc::new(event(&self.id));
        self.work.finish(Finished { event, rows: Arc::new(rows) }).await
    }
}

struct Nothing;

impl Carries for Nothing {
    fn rows(&self) -> Vec<NewRow<'_>> {
        Vec::new()
    }
}

/// One record for the topic of this name.
struct One(&'static str);

impl Carries for One {
    fn rows(&self) -> Vec<NewRow<'_>> {
        let id = "0193e0a0-0000-7000-8000-000000000001";
        vec![NewRow { id, topic: self.0, key: None, ty: "t", payload: None, headers: &[] }]
    }
}

fn event(id: &str) -> Event {
    let lane = format!("k{id}").into_bytes();
    let lane = Lane { consumer: "payments/charge".into(), topic: "orders".into(), lane };
    let place = Place { partition: 3, offset: 7 };
    Event { lane, source: "/orders".into(), id: id.into(), place, time_ms: Some(1) }
}

async fn begin(ground: &Ground) -> (&Store, Batches) {
    let store = &ground.store;
    store.migrate().await.unwrap();
    let mut session = store.begin().await.unwrap();
    session.script("CREATE TABLE ledger (id text NOT NULL)").await.unwrap();
    session.commit().await.unwrap();
    (store, Batches::start(store))
}

/// The service's own rows.
async fn ledger(store: &Store) -> Vec<String> {
    let sql = "SELECT id FROM ledger ORDER BY id";
    if let Some(pool) = store.sqlite_pool() {
        return sqlx::query_scalar(sql).fetch_all(pool).await.unwrap();
    }
    sqlx::query_scalar(sql).fetch_all(store.postgres_pool().unwrap()).await.unwrap()
}

async fn standing(store: &Store, id: &str) -> Standing {
    let event = event(id);
    look(store, &event.entry(), &event.lane).await.unwrap()
}

/// Lets it ask what it asks at once, so that it is in line.
async fn in_line<F: Future + Unpin>(waiting: &mut F) {
    let once = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *waiting).poll(cx).is_ready()));
    assert!(!once.await, "it should wait");
}

/// After this each event has a savepoint.
async fn fail_once(batches: &Batches) {
    drop(Attempt::new(batches, "spoilt").write().await);
    // The next one in line is served when that is undone.
    let verdict = Attempt::new(batches, "served").finish().await;
    assert!(matches!(verdict, Verdict::Done), "{verdict:?}");
}

async fn park(store: &Store, id: &str) {
    let sql = "INSERT INTO tidings_parked_key (consumer, topic, lane) VALUES ($1, $2, $3)";
    let lane = event(id).lane;
    let mut session = store.begin().await.unwrap();
    let values = [
        Value::Text(Some(&lane.consumer)),
        Value::Text(Some(&lane.topic)),
        Value::Bytes(Some(&lane.lane)),
    ];
    session.execute(sql, &values).await.unwrap();
    session.commit().await.unwrap();
}

on_both! {
    async fn those_who_use_the_transaction_and_those_who_do_not_commit_together(ground: &Ground) {
        let (store, batches) = begin(ground).await;
        let first = Attempt::new(&batches, "1").write().await;
        let mut second = pin!(Attempt::new(&batches, "2").finish_with(One("stock")));
        let mut third = pin!(Attempt::new(&batches, "3").write());
        in_line(&mut second).await;
        in_line(&mut third).await;
        let mut first = pin!(first.finish());
        in_line(&mut first).await;
        let mut third = third.await;
        assert!(third.company.was_there());
        assert_eq!(ledger(store).await, [""; 0], "nothing before all of it");
        third.session().await;
        let verdicts = tokio::join!(first, second, third.finish());
        assert!(matches!(verdicts, (Verdict::Done, Verdict::Done, Verdict::Done)), "{verdicts:?}");
        assert_eq!(ledger(store).await, ["1", "3"]);
        for id in ["1", "2", "3"] {
            assert_eq!(standing(store, id).await, Standing::Known, "{id}");
        }
        assert_eq!(tidings_store::backlog::status(store).await.unwrap().pending, 1);
    }

    async fn one_that_fails_undoes_the_others_once_and_only_itself_from_then_on(ground: &Ground) {
        let (store, batches) = begin(ground).await;
        for round in 0..2 {
            let first = Attempt::new(&batches, "1").write().await;
            let mut failing = pin!(Attempt::new(&batches, "bad").write());
            let mut third = pin!(Attempt::new(&batches, "3").finish());
            in_line(&mut failing).await;
            in_line(&mut third).await;
            let mut first = pin!(first.finish());
            in_line(&mut first).await;
            let failing = failing.await;
            assert_eq!(failing.company.was_there(), round == 0, "by a savepoint it is alone");
            drop(failing);
            let first = first.await;
            if round == 0 {
                assert!(matches!(first, Verdict::Undone { alone: false }), "{first:?}");
                assert_eq!(ledger(store).await, [""; 0]);
                assert_eq!(standing(store, "1").await, Standing::New);
            } else {
                assert!(matches!(first, Verdict::Done), "{first:?}");
                assert_eq!(ledger(store).await, ["1"], "and not `bad`");
            }
            // In line behind the one that failed, it was in the next batch or in this one.
            let third = third.await;
            let known = round == 1;
            assert!(matches!(third, Verdict::Done | Verdict::Elsewhere), "{third:?}");
            assert_eq!(matches!(third, Verdict::Elsewhere), known, "{third:?}");
        }
    }

    async fn somebody_else_was_first(ground: &Ground) {
        let (store, batches) = begin(ground).await;
        let mut session = store.begin().await.unwrap();
        assert!(insert(&mut session, &event("2").entry(), Outcome::Done).await.unwrap());
        session.commit().await.unwrap();
        for careful in [false, true] {
            let first = Attempt::new(&batches, "1").write().await;
            let mut second = pin!(Attempt::new(&batches, "2").write());
            let mut third = pin!(Attempt::new(&batches, "2").finish());
            in_line(&mut second).await;
            let mut first = pin!(first.finish());
            in_line(&mut first).await;
            let mut second = pin!(second.await.finish());
            in_line(&mut third).await;
            in_line(&mut second).await;
            let verdicts = tokio::join!(first, second, third);
            if careful {
                let expected = (Verdict::Done, Verdict::Elsewhere, Verdict::Elsewhere);
                assert_eq!(format!("{verdicts:?}"), format!("{expected:?}"));
                assert_eq!(ledger(store).await, ["1"]);
            } else {
                assert!(matches!(verdicts.0, Verdict::Undone { alone: false }), "{verdicts:?}");
                assert_eq!(ledger(store).await, [""; 0]);
            }
        }
    }

    async fn whose_lane_is_parked_has_to_wait(ground: &Ground) {
        let (store, batches) = begin(ground).await;
        park(store, "2").await;
        let verdict = Attempt::new(&batches, "2").finish().await;
        assert!(matches!(verdict, Verdict::Undone { alone: false }), "{verdict:?}");
        let verdict = Attempt::new(&batches, "2").finish().await;
        assert!(matches!(verdict, Verdict::NotItsTurn), "{verdict:?}");
        let verdict = Attempt::new(&batches, "2").write().await.finish().await;
        assert!(matches!(verdict, Verdict::NotItsTurn), "{verdict:?}");
        assert_eq!(ledger(store).await, [""; 0]);
    }

    async fn an_attempt_that_goes_without_a_statement_harms_nobody(ground: &Ground) {
        let (store, batches) = begin(ground).await;
        let first = Attempt::new(&batches, "1").write().await;
        let mut gone = Box::pin(Attempt::new(&batches, "2").write());
        in_line(&mut gone).await;
        drop(gone);
        assert!(matches!(first.finish().await, Verdict::Done));
        assert_eq!(ledger(store).await, ["1"]);
    }

    /// PostgreSQL gives the whole transaction up, SQLite the statement only.
    async fn a_handler_that_swallows_an_error_does_not_spoil_the_others(ground: &Ground) {
        let (store, batches) = begin(ground).await;
        let is_sqlite = store.sqlite_pool().is_some();
        for round in 0..2 {
            let first = Attempt::new(&batches, &format!("first-{round}")).write().await;
            let mut swallows = pin!(async {
                let mut swallows = Attempt::new(&batches, &format!("bad-{round}"));
                let refused = swallows.session().await.script("SELECT no_such_column").await;
                assert!(refused.is_err());
                swallows.finish().await
            });
            in_line(&mut swallows).await;
            let (first, swallows) = tokio::join!(first.finish(), swallows);
            match (is_sqlite, round) {
                (true, _) => assert!(matches!((first, swallows), (Verdict::Done, Verdict::Done))),
                (false, 0) => {
                    assert!(matches!(first, Verdict::Undone { alone: false }), "{first:?}");
                    assert!(matches!(swallows, Verdict::Undone { alone: false }), "{swallows:?}");
                }
                (false, _) => {
                    assert!(matches!(first, Verdict::Done), "{first:?}");
                    let failed = matches!(&swallows, Verdict::Failed(error)
                        if matches!(**error, StoreError::Database { .. }));
                    assert!(failed, "{swallows:?}");
                    assert_eq!(ledger(store).await, ["first-1"]);
                }
            }
        }
    }

    async fn a_batch_that_the_database_refuses_is_told_apart_event_by_event(ground: &Ground) {
        let (store, batches) = begin(ground).await;
        let mut session = store.begin().await.unwrap();
        session.script("CREATE UNIQUE INDEX once ON tidings_outbox (id)").await.unwrap();
        session.commit().await.unwrap();
        assert!(matches!(Attempt::new(&batches, "0").finish_with(One("a")).await, Verdict::Done));
        let verdict = Attempt::new(&batches, "1").finish_with(One("b")).await;
        assert!(matches!(verdict, Verdict::Undone { alone: false }), "{verdict:?}");
        let verdict = Attempt::new(&batches, "1").finish_with(One("b")).await;
        assert!(matches!(verdict, Verdict::Undone { alone: true }), "{verdict:?}");
        assert_eq!(standing(store, "1").await, Standing::New);
        fail_once(&batches).await;
    }
}
