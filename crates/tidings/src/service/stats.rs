//! Live counters of one service, for the program that runs it: the demo's table, a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::health::Health;

/// A handle on a service's counters; clones show the same service.
#[derive(Clone)]
pub struct Stats {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    received: AtomicU64,
    handled: AtomicU64,
    passed_by: AtomicU64,
    published: AtomicU64,
    retried: AtomicU64,
    duplicates: AtomicU64,
    dead_lettered: AtomicU64,
    in_work: AtomicU64,
    lag: AtomicU64,
    health: Health,
}

/// The counters at one moment. They count since the service's start, in this instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Records that came from the broker.
    pub received: u64,
    /// Events that handlers are done with: one per handler.
    pub handled: u64,
    /// Events of types that nobody here takes.
    pub passed_by: u64,
    /// Returned events that the broker has acknowledged.
    pub published: u64,
    /// Attempts that followed a failed one.
    pub retried: u64,
    /// Events that the inbox knew already; without a store there is no inbox.
    pub duplicates: u64,
    /// Events that were given up.
    pub dead_lettered: u64,
    /// Records that were taken and are not finished.
    pub in_work: u64,
    /// Records of its partitions that are not finished, as of about a second ago.
    pub lag: u64,
    /// Whether it has its partitions and nothing is wrong.
    pub ready: bool,
}

impl Stats {
    pub(crate) fn new() -> Stats {
        Stats { inner: Arc::default() }
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        let inner = &*self.inner;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            received: read(&inner.received),
            handled: read(&inner.handled),
            passed_by: read(&inner.passed_by),
            published: read(&inner.published),
            retried: read(&inner.retried),
            duplicates: read(&inner.duplicates),
            dead_lettered: read(&inner.dead_lettered),
            in_work: read(&inner.in_work),
            lag: read(&inner.lag),
            ready: inner.health.is_ready(),
        }
    }

    /// What keeps it from being ready: one sentence each, with what to do about it.
    pub fn why_not_ready(&self) -> Vec<String> {
        self.inner.health.wrong()
    }

    /// What people should know although nothing is wrong, such as a replay: one sentence each.
    pub fn notes(&self) -> Vec<String> {
        self.inner.health.notes()
    }

    pub(crate) fn health(&self) -> &Health {
        &self.inner.health
    }

    pub(crate) fn received(&self, n: u64) {
        self.inner.received.fetch_add(n, Ordering::Relaxed);
        self.inner.in_work.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, n: u64) {
        self.inner.in_work.fetch_sub(n, Ordering::Relaxed);
    }

    pub(crate) fn handled(&self, n: u64) {
        self.inner.handled.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn passed_by(&self, n: u64) {
        self.inner.passed_by.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn published(&self, n: u64) {
        self.inner.published.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self, n: u64) {
        self.inner.retried.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn duplicate(&self, n: u64) {
        self.inner.duplicates.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn dead_lettered(&self, n: u64) {
        self.inner.dead_lettered.fetch_add(n, Ordering::Relaxed);
    }

    /// The lag of one partition changed from one value to another.
    pub(crate) fn lag_changed(&self, before: u64, now: u64) {
        self.inner.lag.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Stats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.snapshot().fmt(f)
    }
}
