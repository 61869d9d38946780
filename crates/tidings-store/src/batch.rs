//! Batches: many events in one transaction. SQLite syncs its file once per transaction, and both
//! databases answer one statement for many rows sooner than many statements; this is the difference
//! between hundreds and tens of thousands of events in a second.
//!
//! One task owns the open transaction ([`owner`]). A handler gets it as a [`Lease`] when it first
//! asks, alone until it returns; one that never asks joins on its return. Rows of the outbox and
//! of the inbox are written once, at the end, for all of them. The batch ends when nobody is
//! waiting to join, when it is full, or when it has been open for long enough: so it is as large as
//! the load makes it, and nobody waits for company.
//!
//! **What one does to others.** While all goes well nothing separates the events of a batch. When
//! one fails that has used the transaction, all of it is undone and its events run again, each with
//! a savepoint of its own, until a thousand of them went well. What the database refuses as a whole
//! (a deadlock, a commit whose outcome is unknown) is undone too, and its events run alone. None of
//! this counts as an attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::inbox::Event;
use crate::outbox::NewRow;
use crate::store::{Session, Store};

mod open;
mod owner;

/// The way to the task that owns the batches of one store. It ends with the last of them.
#[derive(Clone, Debug)]
pub struct Batches {
    to_owner: mpsc::UnboundedSender<Asked>,
}

/// The place of one attempt in a batch, taken when it first asks for the transaction or is done.
pub struct Seat {
    to_owner: mpsc::UnboundedSender<Asked>,
    terms: Terms,
    company: Company,
    taken: Taken,
}

/// How far a seat is taken.
enum Taken {
    Not,
    Leased(Lease),
    /// It was asked for, and not given.
    Refused,
}

/// What an attempt asks of the batch that it joins.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Events in it, at most.
    pub events_max: usize,
    /// How long it takes events in, at most, from its beginning on.
    pub open_max: Duration,
    /// How long its transaction may lie still, at least.
    pub idle_max: Duration,
}

/// Whether an attempt had the transaction after others, without a savepoint between: then its
/// failure may be theirs, and says nothing about its event.
#[derive(Clone, Debug, Default)]
pub struct Company(Arc<AtomicBool>);

/// An event that its handler is done with.
pub struct Finished {
    /// The event.
    pub event: Arc<Event>,
    /// What it publishes.
    pub rows: Arc<dyn Carries>,
}

/// Who has rows for the outbox.
pub trait Carries: Send + Sync {
    /// The rows, in the order of publishing.
    fn rows(&self) -> Vec<NewRow<'_>>;
}

/// What became of an event that its handler was done with.
#[derive(Debug)]
pub enum Verdict {
    /// Committed.
    Done,
    /// Somebody else has handled the event; nothing of this attempt is there.
    Elsewhere,
    /// An earlier event of its lane is parked; nothing of this attempt is there.
    NotItsTurn,
    /// Undone for no fault of this event: it has to run again, alone or not.
    Undone {
        /// In a transaction of its own.
        alone: bool,
    },
    /// The database did not do it; nothing of this attempt is there, as far as one can know.
    Failed(Arc<StoreError>),
}

/// What seats ask of the owner.
enum Asked {
    Lease { terms: Terms, company: Company, answer: oneshot::Sender<Result<Lease, StoreError>> },
    Join { terms: Terms, member: Member },
}

/// An event that is done, if its batch commits.
struct Member {
    finished: Finished,
    verdict: oneshot::Sender<Verdict>,
}

/// The transaction, for one handler alone. Dropped, the handler has failed.
struct Lease {
    /// There until it is given back.
    session: Option<Session>,
    back: Option<oneshot::Sender<GivenBack>>,
    is_used: bool,
}

/// How a lease ended.
enum GivenBack {
    Done(Session, Member),
    Failed { session: Session, is_used: bool },
}

impl Batches {
    /// Starts the task, on the runtime of the caller.
    pub fn start(store: &Store) -> Batches {
        let (to_owner, asked) = mpsc::unbounded_channel();
        tokio::spawn(owner::Owner::new(store.clone(), asked).run());
        Batches { to_owner }
    }

    /// A place for one attempt.
    pub fn seat(&self, terms: Terms, company: &Company) -> Seat {
        let to_owner = self.to_owner.clone();
        Seat { to_owner, terms, company: company.clone(), taken: Taken::Not }
    }
}

impl Seat {
    /// The batch's transaction, for this attempt alone until it is done or dropped.
    pub(crate) async fn session(&mut self) -> Result<&mut Session, StoreError> {
        if matches!(self.taken, Taken::Not) {
            self.taken = Taken::Refused;
            let (answer, answered) = oneshot::channel();
            let (terms, company) = (self.terms, self.company.clone());
            let asked = Asked::Lease { terms, company, answer };
            let _answered_below = self.to_owner.send(asked);
            self.taken = Taken::Leased(answered.await.map_err(|_| no_owner())??);
        }
        match &mut self.taken {
            Taken::Leased(lease) => lease.session().ok_or_else(no_owner),
            // A handler that ignored the error must not get in at its second statement.
            Taken::Not | Taken::Refused => Err(no_owner()),
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        matches!(self.taken, Taken::Leased(_))
    }

    /// The attempt went well. Waits for the end of the batch.
    pub(crate) async fn finish(self, finished: Finished) -> Verdict {
        let (verdict, told) = oneshot::channel();
        let member = Member { finished, verdict };
        match self.taken {
            Taken::Leased(lease) => lease.done(member),
            Taken::Not | Taken::Refused => {
                let _told_below = self.to_owner.send(Asked::Join { terms: self.terms, member });
            }
        }
        // The owner is gone only with its runtime.
        told.await.unwrap_or(Verdict::Undone { alone: true })
    }
}

fn no_owner() -> StoreError {
    StoreError::of("begin a transaction")(sqlx::Error::WorkerCrashed)
}

impl Company {
    /// Whether there was any.
    pub fn was_there(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn is_there(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Lease {
    fn session(&mut self) -> Option<&mut Session> {
        self.is_used = true;
        self.session.as_mut()
    }

    fn done(mut self, member: Member) {
        if let (Some(session), Some(back)) = (self.session.take(), self.back.take()) {
            let _owner_waits = back.send(GivenBack::Done(session, member));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (Some(session), Some(back)) = (self.session.take(), self.back.take()) {
            let _owner_waits = back.send(GivenBack::Failed { session, is_used: self.is_used });
        }
    }
}
