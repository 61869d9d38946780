//! Hashes of what lanes and handlers are looked up by. They run for each event, and nothing worse
//! than a shared lane can be had by colliding keys: so a checksum that processors compute by
//! themselves does, where the standard library's hash costs as much as the rest of the way.

use std::hash::Hasher;

/// A hash of 64 bits, 32 of which are independent.
pub(super) fn hash(start: u32, bytes: &[u8]) -> u64 {
    spread(u64::from(crc32c::crc32c_append(start, bytes)))
}

/// Numbers that are close to each other become far apart, in the upper bits as well.
pub(super) fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The same for maps whose keys are texts of our own.
#[derive(Default)]
pub(super) struct TextHasher(u32);

impl Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, bytes);
    }

    // The mark that ends each text: one map holds texts only, so it tells nothing.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        spread(u64::from(self.0))
    }
}
