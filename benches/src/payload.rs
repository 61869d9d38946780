//! Values that no compression makes smaller and no cache knows by heart.

/// Enough distinct values for any batch, and small enough for the second-level cache.
const POOL_BYTES: usize = 256 * 1024;

/// A pool of random bytes, out of which values of `size` bytes are cut.
pub(crate) fn random(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut pool = Vec::with_capacity(POOL_BYTES + size + 8);
    while pool.len() < POOL_BYTES + size {
        // Marsaglia's xorshift: good enough to be incompressible.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        pool.extend_from_slice(&state.to_le_bytes());
    }
    pool
}

/// The `n`th value.
pub(crate) fn slice(pool: &[u8], size: usize, n: u64) -> &[u8] {
    let from = (n as usize).wrapping_mul(61) % POOL_BYTES;
    &pool[from..from + size]
}
