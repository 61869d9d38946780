//! The task that owns the open batch, and with it how careful the next one is.

use std::time::Duration;

use tokio::sync::mpsc;

use super::open::{Closed, Open};
use super::{Asked, Terms};
use crate::limits::SAVEPOINTS_FOR;
use crate::store::Store;

pub(super) struct Owner {
    store: Store,
    asked: mpsc::UnboundedReceiver<Asked>,
    /// How many events still get a savepoint each.
    savepoints_for: usize,
    /// The longest that any attempt may leave its transaction alone.
    idle_max: Duration,
}

impl Owner {
    pub(super) fn new(store: Store, asked: mpsc::UnboundedReceiver<Asked>) -> Owner {
        Owner { store, asked, savepoints_for: 0, idle_max: Duration::ZERO }
    }

    pub(super) async fn run(mut self) {
        while let Some(first) = self.asked.recv().await {
            match self.batch(first).await {
                Closed::Well { events } => {
                    self.savepoints_for = self.savepoints_for.saturating_sub(events);
                }
                Closed::Undone => self.savepoints_for = SAVEPOINTS_FOR,
            }
        }
    }

    /// One batch from its first event to its commit.
    async fn batch(&mut self, first: Asked) -> Closed {
        let mut batch = Open::new(self.store.clone(), self.savepoints_for > 0);
        let mut next = Some(first);
        while let Some(asked) = next {
            let terms = asked.terms();
            self.idle_max = self.idle_max.max(terms.idle_max);
            batch.bound(Terms { idle_max: self.idle_max, ..terms });
            match asked {
                Asked::Join { member, .. } => batch.join(member).await,
                Asked::Lease { company, answer, .. } => batch.lend(&company, answer).await,
            }
            if batch.is_broken() {
                break;
            }
            next = if batch.has_room() { self.asked.try_recv().ok() } else { None };
        }
        batch.close().await
    }
}

impl Asked {
    fn terms(&self) -> Terms {
        match self {
            Asked::Lease { terms, .. } | Asked::Join { terms, .. } => *terms,
        }
    }
}
