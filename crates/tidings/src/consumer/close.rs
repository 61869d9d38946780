//! Closing Kafka's client, for a bounded time. It leaves the group and waits for the coordinator;
//! in a storm of rebalances it was seen, once in several hundred times, to wait for ever after it
//! had left. Everything is committed by then, so a service that ends matters more.

use std::sync::mpsc;
use std::time::Duration;

/// Drops what is to be closed. Returns whether that came to its end within the limit; if not, a
/// thread goes on with it for as long as the process lives.
pub(super) fn within(limit: Duration, closes: impl Send + 'static) -> bool {
    let (tell, told) = mpsc::channel();
    let thread = std::thread::Builder::new().name("tidings-close".to_owned());
    let started = thread.spawn(move || {
        drop(closes);
        // Nobody waits any more after the limit.
        let _ = tell.send(());
    });
    // Without a thread it was dropped here, on this one.
    started.is_err() || told.recv_timeout(limit).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Closes when its other end is gone.
    struct Slow(mpsc::Receiver<()>);

    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    #[test]
    fn what_closes_is_waited_for_and_what_does_not_is_left() {
        let (opens, waits) = mpsc::channel();
        drop(opens);
        assert!(within(Duration::from_secs(30), Slow(waits)));
        let (opens, waits) = mpsc::channel::<()>();
        assert!(!within(Duration::from_millis(10), Slow(waits)));
        drop(opens);
    }
}
