//! What the tests share: a client on a bare socket, brokers, and patience with a deadline.

mod gated;
pub mod named;
mod topics;
mod wire;

use std::net::{SocketAddr, ToSocketAddrs as _};
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

/// What a test of the protocol talks to: a broker in memory, or the one that is named.
pub enum Either {
    Embedded(Broker),
    Named(named::Turn),
}

/// The named broker when it is this test's turn, else one in memory.
pub async fn either() -> Either {
    match named::Turn::wait().await {
        Some(turn) => Either::Named(turn),
        None => Either::Embedded(memory().await),
    }
}

impl Either {
    pub fn bootstrap(&self) -> String {
        match self {
            Either::Embedded(broker) => broker.bootstrap(),
            Either::Named(turn) => turn.bootstrap(),
        }
    }

    pub fn addr(&self) -> SocketAddr {
        let resolved = self.bootstrap().to_socket_addrs().expect("it resolves").next();
        resolved.expect("an address")
    }

    pub fn is_embedded(&self) -> bool {
        matches!(self, Either::Embedded(_))
    }

    pub async fn shutdown(self) {
        if let Either::Embedded(broker) = self {
            broker.shutdown().await.expect("stops");
        }
    }
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
