//! Where the broker gets its time from, so that tests can own it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Wall-clock time, as Kafka counts it: milliseconds since 1970-01-01 00:00 UTC.
///
/// State machines never hold a clock: they take `now_ms` as an argument. This trait is for the
/// tasks around them.
pub trait Clock: Send + Sync + 'static {
    /// The time now, in milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}
