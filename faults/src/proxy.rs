//! A TCP proxy that knows Kafka's frames: hurts chosen requests and answers by a seed.
//!
//! What it can do is what a network can do, no more: bytes of one connection stay in order. It
//! changes no byte, so the broker has to advertise the proxy's address (`tidings broker
//! --advertise`, Apache Kafka's `advertised.listeners`), or clients go past it.

pub mod faults;
mod frames;
mod link;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use faults::{Counts, Fault, Rule, Rules};

use crate::Outcome;
use crate::random::Random;

/// How long a new connection's way to the broker is tried; a broker that restarts is tried again
/// by the client.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// What all of its connections share.
#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    rules: Rules,
    seed: u64,
    /// No more faults: the run wants to end.
    calm: AtomicBool,
    ended: AtomicBool,
    counts: Counts,
}

impl Proxy {
    /// Listens on `addr` for clients of the broker at `upstream`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(
        addr: SocketAddr,
        upstream: SocketAddr,
        rules: Rules,
        seed: u64,
    ) -> Outcome<Proxy> {
        let listener = TcpListener::bind(addr)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            rules,
            seed,
            calm: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            counts: Counts::default(),
        });
        let theirs = shared.clone();
        let accepting = thread::Builder::new()
            .name("proxy".into())
            .spawn(move || accept(&listener, &theirs))?;
        Ok(Proxy { addr, shared, accepting: Some(accepting) })
    }

    /// Where clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it has done so far.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// From now on it only passes bytes on.
    pub fn calm(&self) {
        self.shared.calm.store(true, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        let _woken = TcpStream::connect(self.addr);
        if let Some(accepting) = self.accepting.take() {
            let _ended = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, client) in (0u64..).zip(listener.incoming()) {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let shared = shared.clone();
        // A connection that finds no thread is closed, as by any network.
        let _closed = thread::Builder::new().name("link".into()).spawn(move || {
            if let Ok(broker) = TcpStream::connect_timeout(&shared.upstream, CONNECT_PATIENCE) {
                // What happens on a connection follows from the seed and from which it is.
                link::run(client, broker, &shared, Random::new(shared.seed, number + 16));
            }
        });
    }
}

#[cfg(test)]
mod tests;
