//! The end of an attempt that went well: what it returned goes into the outbox, the mark that it
//! was handled is written last, and then all of it commits, or nothing.

use std::sync::Arc;

use tidings_store::batch::{Finished, Verdict};
use tidings_store::parking::Lane;
use tidings_store::parking::drain::{self, ParkedEvent};
use tidings_store::{Gate, StoreError};

use super::case::Case;
use super::{Door, Stored, Unit, failed, refused};
use crate::events::{DraftError, Ready, Stamp};
use crate::fail::Fail;
use crate::handler::{Ended, Registered};
use crate::lanes::Group;
use crate::outbox::Rows;
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
    /// Others were in the same transaction, and one of them failed; nothing of it is there.
    Undone {
        /// Whether it needs a transaction of its own.
        alone: bool,
    },
}

/// The first event of a parked lane, whose turn it is.
pub(super) struct Head<'a> {
    pub(super) lane: &'a Lane,
    pub(super) event: &'a ParkedEvent,
    /// The copy that tells of its end.
    pub(super) letter: Option<RawRecord>,
}

impl Head<'_> {
    /// Always alone: its transaction takes the parked row away, and others wait for the lane.
    pub(super) fn door(&self) -> Door {
        Door::Alone(self.gate())
    }

    fn gate(&self) -> Gate {
        Gate::Head(self.lane.clone(), self.event.place)
    }
}

impl Stored {
    /// For an event as it came.
    pub(super) async fn settle(
        &self,
        group: &Group,
        handler: &Registered,
        ended: Ended,
        case: &Case,
        door: Door,
    ) -> Result<Settled, Fail> {
        let (unit, rows) = taken_apart(group, ended)?;
        let rows = Arc::new(rows);
        let unit = unit.map_or_else(|| door.unit(&self.store, handler.timeout), |unit| *unit);
        let event = Arc::clone(&case.event);
        let settled = match unit.finish(Finished { event, rows: rows.clone() }).await {
            Verdict::Done => Settled::Done,
            Verdict::Elsewhere => Settled::Elsewhere,
            Verdict::NotItsTurn => Settled::NotNow,
            Verdict::Undone { alone } => Settled::Undone { alone },
            Verdict::Failed(error) => return Err(failed(error)),
        };
        if matches!(settled, Settled::Done) {
            self.published(group, &rows, false);
        }
        Ok(settled)
    }

    /// For the first event of a parked lane.
    pub(super) async fn settle_parked(
        &self,
        group: &Group,
        ended: Ended,
        head: &Head<'_>,
    ) -> Result<Settled, Fail> {
        let (unit, rows) = taken_apart(group, ended)?;
        let begin = || Unit::alone(self.store.clone(), head.gate(), None);
        let mut unit = unit.map_or_else(begin, |unit| *unit);
        let session = match unit.session().await {
            Err(StoreError::NotItsTurn) => return Ok(Settled::NotNow),
            begun => begun.map_err(failed)?,
        };
        self.outbox.write(session, &rows, head.letter.as_ref()).await.map_err(failed)?;
        if !drain::done(session, head.lane, head.event).await.map_err(failed)? {
            return Ok(Settled::Elsewhere);
        }
        unit.commit().await.map_err(failed)?;
        self.published(group, &rows, head.letter.is_some());
        Ok(Settled::Done)
    }

    /// It is in the outbox.
    fn published(&self, group: &Group, rows: &Rows, with_letter: bool) {
        let ready = rows.ready();
        if with_letter || !ready.is_empty() {
            self.outbox.ring();
        }
        ready.iter().for_each(|event| group.meters.published(&event.event.ty, &event.topic));
        group.outlet.stored(ready);
    }
}

/// The attempt's transaction, if it has one, and its events as rows.
fn taken_apart(group: &Group, ended: Ended) -> Result<(Option<Box<Unit>>, Rows), Fail> {
    let Ended { events, causation, trace, unit } = ended;
    let (source, now) = (&*group.scope.source, Timestamp::now());
    let stamp = Stamp { source, now, causation: causation.as_deref(), trace: trace.as_ref() };
    let ready: Result<Vec<Ready>, DraftError> =
        events.into_iter().map(|draft| draft.stamp(&stamp)).collect();
    let rows = Rows::of(ready.map_err(Fail::reject)?).map_err(refused)?;
    Ok((unit, rows))
}
