//! The leader epoch that a client believes in (KIP-320). Ours is 0 for ever.

use kafka_protocol::error::ResponseError;

use crate::shared::LEADER_EPOCH;

/// Compares the epoch in a request with ours; -1 means that the client does not know one.
pub(super) fn check(current_leader_epoch: i32) -> Result<(), ResponseError> {
    match current_leader_epoch {
        -1 => Ok(()),
        epoch if epoch > LEADER_EPOCH => Err(ResponseError::UnknownLeaderEpoch),
        epoch if epoch < LEADER_EPOCH => Err(ResponseError::FencedLeaderEpoch),
        _ => Ok(()),
    }
}
