//! The end of an attempt that went well: what it returned goes into the outbox, the mark that it
//! was handled is written last, and then all of it commits, or nothing.

use tidings_store::parking::Lane;
use tidings_store::parking::drain::{self, ParkedEvent};
use tidings_store::{Gate, Session, StoreError, inbox};

use super::case::Case;
use super::{Stored, Unit, failed, refused};
use crate::events::{DraftError, Ready, Stamp};
use crate::fail::Fail;
use crate::handler::Ended;
use crate::lanes::Group;
use crate::publisher::RawRecord;
use crate::time::Timestamp;

/// How an attempt that went well ended in the store.
pub(super) enum Settled {
    /// All of it is there.
    Done,
    /// Somebody else has handled the event; nothing of this attempt is there.
    Elsewhere,
    /// It is not the event's turn; nothing of this attempt is there.
    NotNow,
}

/// Whose turn it is.
pub(super) enum Turn<'a> {
    /// An event as it comes.
    Fresh(&'a Case),
    /// The first event of a parked lane.
    Parked { lane: &'a Lane, event: &'a ParkedEvent, letter: Option<RawRecord> },
}

impl Turn<'_> {
    pub(super) fn gate(&self) -> Gate {
        match self {
            Turn::Fresh(case) => Gate::NothingParked(case.lane.clone()),
            Turn::Parked { lane, event, .. } => Gate::Head((*lane).clone(), event.place),
        }
    }

    fn letter(&self) -> Option<&RawRecord> {
        match self {
            Turn::Fresh(_) => None,
            Turn::Parked { letter, .. } => letter.as_ref(),
        }
    }

    /// The last statement of its transaction; `false`: it was done elsewhere.
    async fn mark(&self, session: &mut Session) -> Result<bool, StoreError> {
        match self {
            Turn::Fresh(case) => inbox::insert(session, &case.entry(), inbox::Outcome::Done).await,
            Turn::Parked { lane, event, .. } => drain::done(session, lane, event).await,
        }
    }
}

impl Stored {
    pub(super) async fn settle(
        &self,
        group: &Group,
        ended: Ended,
        turn: &Turn<'_>,
    ) -> Result<Settled, Fail> {
        let Ended { events, causation, trace, unit } = ended;
        let (source, now) = (&*group.scope.source, Timestamp::now());
        let stamp = Stamp { source, now, causation: causation.as_deref(), trace: trace.as_ref() };
        let ready: Result<Vec<Ready>, DraftError> =
            events.into_iter().map(|draft| draft.stamp(&stamp)).collect();
        let ready = ready.map_err(Fail::reject)?;
        let mut unit =
            unit.map_or_else(|| Unit::new(self.store.clone(), turn.gate()), |unit| *unit);
        let session = match unit.session().await {
            Err(StoreError::NotItsTurn) => return Ok(Settled::NotNow),
            begun => begun.map_err(failed)?,
        };
        let letter = turn.letter();
        let ready = self.outbox.write(session, ready, letter).await.map_err(refused)?;
        if !turn.mark(session).await.map_err(failed)? {
            return Ok(Settled::Elsewhere);
        }
        unit.commit().await.map_err(failed)?;
        if letter.is_some() || !ready.is_empty() {
            self.outbox.ring();
        }
        ready.iter().for_each(|event| group.meters.published(&event.event.ty, &event.topic));
        group.outlet.stored(&ready);
        Ok(Settled::Done)
    }
}
