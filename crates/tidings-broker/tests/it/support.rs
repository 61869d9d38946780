//! What the tests share: a client on a bare socket, brokers, and patience with a deadline.

mod gated;
mod topics;
mod wire;

use std::time::{Duration, Instant};

use tidings_broker::{Broker, Clock as _, Config, SystemClock};
use tidings_log::testing::BatchBuilder;

pub use gated::Gated;
pub use topics::{
    Produced, fetch, fetch_request, name, offset_at, produce, produce_request, topic,
};
pub use wire::{Wire, frame};

/// A broker in memory.
pub async fn memory() -> Broker {
    Broker::start(Config::memory()).await.expect("the broker starts")
}

/// A batch of `count` records with small values.
pub fn batch(count: usize) -> bytes::Bytes {
    BatchBuilder::filled(count, 10, now_ms()).build().freeze()
}

/// Now, as records have it: retention must not take them for old ones.
pub fn now_ms() -> i64 {
    SystemClock.now_ms()
}

/// Waits until `done` says so.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
