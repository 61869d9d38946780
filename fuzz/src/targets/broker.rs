//! Requests that a broker carries out: its topics, groups and logs live from input to input, and
//! are new from time to time, so that the memory that they take is not mistaken for a leak.

use std::cell::RefCell;

use tidings_broker::fuzzing::Asked;
use tokio::runtime::{Builder, Runtime};

use super::request;
use crate::files::seal_batch;
use crate::input::Input;

/// How many inputs one broker serves.
const INPUTS: u32 = 2_000;
/// Requests of one input that are carried out.
const REQUESTS: usize = 8;

thread_local! {
    static BROKER: RefCell<Option<(Asked, u32)>> = const { RefCell::new(None) };
}

pub(super) fn run(data: &[u8]) {
    BROKER.with_borrow_mut(|slot| {
        if slot.as_ref().is_some_and(|(_, served)| *served >= INPUTS) {
            *slot = None;
        }
        let (broker, served) = slot.get_or_insert_with(|| (Asked::start(&runtime()), 0));
        *served += 1;
        let mut input = Input(data);
        for _ in 0..REQUESTS {
            if input.is_empty() {
                break;
            }
            let (key, version) = request::choose(&mut input);
            let mut body = input.piece().to_vec();
            if key == 0 {
                seal_records(&mut body);
            }
            broker.ask(key, version, &body);
        }
    });
}

/// Gives what looks like the one record batch of a Produce its checksum.
fn seal_records(body: &mut [u8]) {
    // Found by its magic behind a plausible length: the layout around it is the fuzzer's business.
    for at in 0..body.len().saturating_sub(61) {
        let length = i32::from_be_bytes([body[at + 8], body[at + 9], body[at + 10], body[at + 11]]);
        let end = usize::try_from(length).ok().and_then(|length| (at + 12).checked_add(length));
        if body[at + 16] == 2
            && let Some(end) = end.filter(|end| *end >= at + 61)
            && let Some(batch) = body.get_mut(at..end)
        {
            seal_batch(batch);
            return;
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime without threads")
}
