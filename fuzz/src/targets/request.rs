//! One request: two bytes choose key and version, the rest is its body.

use std::sync::OnceLock;

use tidings_broker::fuzzing;

use crate::input::Input;

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let (key, version) = choose(&mut input);
    let mut frame = Vec::with_capacity(data.len() + 16);
    frame.extend_from_slice(&((input.0.len() + 10) as u32).to_be_bytes());
    frame.extend_from_slice(&key.to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    // Correlation id, and a client id of null; in a flexible header the body's first byte counts
    // the tagged fields.
    frame.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff]);
    frame.extend_from_slice(input.0);
    super::stream::run(&frame);
}

/// Any key and version that is served.
pub(super) fn choose(input: &mut Input<'_>) -> (i16, i16) {
    static SERVED: OnceLock<Vec<(i16, i16, i16)>> = OnceLock::new();
    let served = SERVED.get_or_init(|| fuzzing::requests().collect());
    let (key, first, last) = served[usize::from(input.byte()) % served.len()];
    (key, first + i16::from(input.byte()) % (last - first + 1))
}
