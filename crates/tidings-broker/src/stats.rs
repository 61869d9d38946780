//! What the broker has done so far, in plain counters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A snapshot of the broker's counters since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that are open now.
    pub connections: usize,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that were turned away because too many were open.
    pub turned_away: u64,
    /// Requests by the number of their API key.
    pub requests: BTreeMap<i16, u64>,
    /// Bytes of requests.
    pub received_bytes: u64,
    /// Bytes of responses.
    pub sent_bytes: u64,
}

/// The highest API key that is counted; those of brokers among themselves are not served anyway.
const KEYS: usize = 128;

/// The live counters.
#[derive(Debug)]
pub(crate) struct Counters {
    connections: AtomicUsize,
    accepted: AtomicU64,
    turned_away: AtomicU64,
    requests: [AtomicU64; KEYS],
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

impl Counters {
    pub(crate) fn new() -> Counters {
        Counters {
            connections: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            requests: [const { AtomicU64::new(0) }; KEYS],
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn opened(&self) {
        self.connections.fetch_add(1, Relaxed);
        self.accepted.fetch_add(1, Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    pub(crate) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Relaxed);
    }

    pub(crate) fn request(&self, key: i16, bytes: usize) {
        if let Some(count) = usize::try_from(key).ok().and_then(|key| self.requests.get(key)) {
            count.fetch_add(1, Relaxed);
        }
        self.received_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let counted = self.requests.iter().zip(0_i16..);
        let requests = counted.map(|(count, key)| (key, count.load(Relaxed)));
        Stats {
            connections: self.connections.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
            requests: requests.filter(|(_, count)| *count > 0).collect(),
            received_bytes: self.received_bytes.load(Relaxed),
            sent_bytes: self.sent_bytes.load(Relaxed),
        }
    }
}
