//! A batch that is open: its transaction, if somebody has needed it yet, and who is in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Company, GivenBack, Lease, Member, Terms, Verdict};
use crate::connection::Connection as _;
use crate::error::StoreError;
use crate::inbox::{self, Standing};
use crate::outbox::{self, NewRow};
use crate::store::{Session, Store};

pub(super) struct Open {
    store: Store,
    /// With a savepoint per event.
    is_careful: bool,
    /// The one of the last event.
    has_savepoint: bool,
    session: Option<Session>,
    begun: Option<Instant>,
    members: Vec<Member>,
    /// Somebody has had the transaction and left something in it.
    has_effects: bool,
    /// All of it has to be undone.
    broken: Option<Broken>,
    /// The narrowest of all in it.
    terms: Terms,
}

/// Why all of a batch has to be undone, and how its events go on.
enum Broken {
    /// With savepoints.
    Carefully,
    /// Alone, each.
    Alone,
}

/// How a batch ended.
pub(super) enum Closed {
    Well { events: usize },
    Undone,
}

impl Open {
    pub(super) fn new(store: Store, is_careful: bool) -> Open {
        Open {
            store,
            is_careful,
            has_savepoint: false,
            session: None,
            begun: None,
            members: Vec::new(),
            has_effects: false,
            broken: None,
            terms: Terms {
                events_max: usize::MAX,
                open_max: Duration::MAX,
                idle_max: Duration::ZERO,
            },
        }
    }

    /// Whoever joins may ask for a smaller batch, and for more patience with the handlers in it.
    pub(super) fn bound(&mut self, asked: Terms) {
        let terms = &mut self.terms;
        terms.events_max = terms.events_max.min(asked.events_max);
        terms.open_max = terms.open_max.min(asked.open_max);
        terms.idle_max = terms.idle_max.max(asked.idle_max);
    }

    pub(super) fn has_room(&self) -> bool {
        let is_young = self.begun.is_none_or(|begun| begun.elapsed() < self.terms.open_max);
        self.members.len() < self.terms.events_max && is_young
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Lends the transaction to a handler, and waits until it is back.
    pub(super) async fn lend(
        &mut self,
        company: &Company,
        answer: oneshot::Sender<Result<Lease, StoreError>>,
    ) {
        let session = match self.session_to_lend().await {
            Ok(session) => session,
            Err(error) => {
                let _nobody_waits = answer.send(Err(error));
                return;
            }
        };
        if self.has_effects && !self.is_careful {
            company.is_there();
        }
        let (back, given_back) = oneshot::channel();
        let lease = Lease { session: Some(session), back: Some(back), is_used: false };
        // Dropped by somebody who does not wait any more, it comes back unused.
        drop(answer.send(Ok(lease)));
        match given_back.await {
            Ok(GivenBack::Done(session, member)) => {
                self.session = Some(session);
                self.has_effects = true;
                self.admit(member, true).await;
            }
            Ok(GivenBack::Failed { session, is_used }) => {
                self.session = Some(session);
                if is_used {
                    self.take_back().await;
                }
            }
            Err(_) => self.broken = Some(Broken::Alone),
        }
    }

    /// Takes an event in whose handler has left nothing in the transaction.
    pub(super) async fn join(&mut self, member: Member) {
        self.admit(member, false).await;
    }

    /// Writes what is left to be written, commits, and tells everybody.
    pub(super) async fn close(mut self) -> Closed {
        let committed = match self.broken {
            Some(_) => None,
            None if self.members.is_empty() => return Closed::Well { events: 0 },
            None => Some(self.commit().await),
        };
        match committed {
            Some(Ok(true)) => {
                let events = self.members.len();
                self.tell(|| Verdict::Done);
                Closed::Well { events }
            }
            // Somebody was first, or a lane is parked: with savepoints it is seen for whom.
            Some(Ok(false)) => {
                self.tell(|| Verdict::Undone { alone: false });
                Closed::Undone
            }
            Some(Err(error)) if error.is_retryable() => {
                let error = Arc::new(error);
                self.tell(|| Verdict::Failed(Arc::clone(&error)));
                Closed::Undone
            }
            // With savepoints already it can only be told apart by running alone.
            Some(Err(_)) => {
                let alone = self.is_careful;
                self.tell(|| Verdict::Undone { alone });
                Closed::Undone
            }
            None => {
                let alone = matches!(self.broken, Some(Broken::Alone));
                self.tell(|| Verdict::Undone { alone });
                Closed::Undone
            }
        }
    }

    async fn session_to_lend(&mut self) -> Result<Session, StoreError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.begin().await?,
        };
        if self.is_careful {
            let sql = if self.has_savepoint { NEXT_SAVEPOINT } else { SAVEPOINT };
            if let Err(error) = session.script(sql).await {
                self.broken = Some(Broken::Alone);
                return Err(StoreError::of("set a savepoint")(error));
            }
            self.has_savepoint = true;
        }
        Ok(session)
    }

    async fn begin(&mut self) -> Result<Session, StoreError> {
        let session = self.store.begin_idle_max(Some(self.terms.idle_max)).await?;
        self.begun = Some(Instant::now());
        Ok(session)
    }

    /// The event of a handler that went well. With savepoints its row is written now, so that the
    /// others need not pay if somebody else has handled it.
    async fn admit(&mut self, member: Member, is_behind_savepoint: bool) {
        if !self.is_careful {
            self.members.push(member);
            return;
        }
        let marked = self.mark(&member).await;
        if !matches!(marked, Ok(Verdict::Done)) && is_behind_savepoint {
            self.take_back().await;
        }
        match marked {
            Ok(Verdict::Done) => self.members.push(member),
            Ok(verdict) => member.tell(verdict),
            Err(error) => {
                if !is_behind_savepoint {
                    // PostgreSQL has given up the whole of it.
                    self.broken = Some(Broken::Alone);
                }
                member.tell(Verdict::Failed(Arc::new(error)));
            }
        }
    }

    async fn mark(&mut self, member: &Member) -> Result<Verdict, StoreError> {
        let event = &member.finished.event;
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.begin().await?,
        };
        let written = inbox::insert_done(&mut session, [&**event]).await;
        let standing = match written {
            Ok(0) => inbox::look_in(&mut session, event).await.map(Some),
            other => other.map(|_| None),
        };
        self.session = Some(session);
        Ok(match standing? {
            None => Verdict::Done,
            Some(Standing::Known) => Verdict::Elsewhere,
            Some(Standing::Behind | Standing::New) => Verdict::NotItsTurn,
        })
    }

    /// Undoes what a handler has left, or everything if nothing separates it.
    async fn take_back(&mut self) {
        if !self.is_careful {
            self.broken = Some(Broken::Carefully);
            return;
        }
        let undone = match &mut self.session {
            Some(session) => session.script(BACK_TO_SAVEPOINT).await,
            None => Ok(()),
        };
        if undone.is_err() {
            self.broken = Some(Broken::Alone);
        }
    }

    /// `false`: not all of it is as it should be, and nothing was committed.
    async fn commit(&mut self) -> Result<bool, StoreError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.begin().await?,
        };
        let rows: Vec<NewRow<'_>> =
            self.members.iter().flat_map(|member| member.finished.rows.rows()).collect();
        outbox::insert(&mut session, &rows).await?;
        if !self.is_careful {
            let events = self.members.iter().map(|member| &*member.finished.event);
            let written = inbox::insert_done(&mut session, events).await?;
            if usize::try_from(written) != Ok(self.members.len()) {
                return Ok(false);
            }
        }
        session.commit().await?;
        Ok(true)
    }

    /// The transaction is over, or dropped and thereby undone, before anybody hears of it.
    fn tell(&mut self, verdict: impl Fn() -> Verdict) {
        self.session = None;
        self.members.drain(..).for_each(|member| member.tell(verdict()));
    }
}

impl Member {
    fn tell(self, verdict: Verdict) {
        let _nobody_waits = self.verdict.send(verdict);
    }
}

const SAVEPOINT: &str = "SAVEPOINT tidings_event";
/// One within the other they would cost more with each event.
const NEXT_SAVEPOINT: &str = "RELEASE SAVEPOINT tidings_event; SAVEPOINT tidings_event";
const BACK_TO_SAVEPOINT: &str = "ROLLBACK TO SAVEPOINT tidings_event";
