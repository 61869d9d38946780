//! How an attempt gets its transaction: one of its own behind a gate, or a place in a batch.

use std::time::Duration;

use tidings_store::batch::{Batches, Company, Terms};
use tidings_store::parking::Lane;
use tidings_store::{Dialect, Gate, Store};

use super::{Stored, Unit};
use crate::handler::Registered;
use crate::service::limits::{BATCH_OPEN_MAX, SQLITE_BATCH_MAX, UNIT_IDLE_MARGIN};

#[derive(Clone)]
pub(crate) enum Door {
    Alone(Gate),
    Together { batches: Batches, events_max: usize, company: Company },
}

impl Door {
    /// For what waits for nobody.
    pub(super) fn open() -> Door {
        Door::Alone(Gate::Open)
    }

    /// For an event as it comes. `alone` if it has to be.
    pub(super) fn fresh(stored: &Stored, handler: &Registered, lane: &Lane, alone: bool) -> Door {
        let events_max = handler.batch.unwrap_or(match stored.store.dialect() {
            Dialect::Sqlite => SQLITE_BATCH_MAX,
            // It syncs for many connections at once by itself, and a batch holds the locks of all
            // its events' rows at the same time: whoever wants that says so.
            Dialect::Postgres => 1,
        });
        if alone || events_max <= 1 {
            return Door::Alone(Gate::NothingParked(lane.clone()));
        }
        let batches = stored.together().batches.clone();
        Door::Together { batches, events_max, company: Company::default() }
    }

    /// The transaction of an attempt that may take so long. Nothing has begun.
    pub(super) fn unit(self, store: &Store, timeout: Duration) -> Unit {
        let idle_max = timeout + UNIT_IDLE_MARGIN;
        match self {
            Door::Alone(gate) => Unit::alone(store.clone(), gate, Some(idle_max)),
            Door::Together { batches, events_max, company } => {
                let terms = Terms { events_max, open_max: BATCH_OPEN_MAX, idle_max };
                Unit::in_batch(batches.seat(terms, &company))
            }
        }
    }

    /// Whether others were in the transaction before, so that a failure may be theirs.
    pub(super) fn had_company(&self) -> bool {
        match self {
            Door::Alone(_) => false,
            Door::Together { company, .. } => company.was_there(),
        }
    }
}
