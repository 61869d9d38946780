//! The broker's own state, entry by entry: the first byte says whose.

use crate::input::Input;

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let kind = input.byte();
    tidings_broker::fuzzing::entry(kind, input.0);
}
