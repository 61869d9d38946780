//! What a connection reads: lengths, frames, headers, bodies, one request after the other.

use std::cell::OnceCell;

use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

pub(super) fn run(data: &[u8]) {
    RUNTIME.with(|runtime| {
        let start = || Builder::new_current_thread().enable_time().build();
        let runtime = runtime.get_or_init(|| start().expect("a runtime without threads"));
        runtime.block_on(tidings_broker::fuzzing::decode_stream(data));
    });
}
