//! What has to be true when an event's transaction begins. Asked inside of the transaction, never
//! before: what was read earlier may have changed, and a lock that is not held orders nothing.

use crate::error::StoreError;
use crate::parking::{Lane, Place, drain};
use crate::store::Session;

/// The gate before a transaction.
#[derive(Clone, Debug)]
pub enum Gate {
    /// Open.
    Open,
    /// For an event as it comes: no earlier event of its lane may be parked.
    NothingParked(Lane),
    /// For a parked event: it has to be the first of its lane. The transaction takes its row
    /// away.
    Head(Lane, Place),
}

impl Gate {
    /// Whether the transaction may go on; if not, it has to be rolled back.
    pub(super) async fn pass(&self, session: &mut Session) -> Result<bool, StoreError> {
        match self {
            Gate::Open => Ok(true),
            Gate::NothingParked(lane) => Ok(!lane.lock(session).await?),
            Gate::Head(lane, place) => {
                Ok(lane.lock(session).await? && drain::take(session, lane, *place).await?)
            }
        }
    }
}
