//! Which batches of idempotent producers are new: a state machine without I/O or clock (KIP-98).

/// The sequence number `delta` after `sequence`; after `i32::MAX` comes 0.
pub fn sequence_after(sequence: i32, delta: i32) -> i32 {
    ((i64::from(sequence) + i64::from(delta)) % (i64::from(i32::MAX) + 1)) as i32
}
