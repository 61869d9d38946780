//! The coordinator's alarm clock: runs deadlines when they are due, and the retention of offsets.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Groups;

/// Runs until the coordinator is closed.
pub(super) async fn run(groups: Groups) {
    let interval = Duration::from_millis(groups.inner.config.retention_check_interval_ms.max(1));
    let mut next_sweep = Instant::now() + interval;
    loop {
        // Registered before the deadlines are read, so that none is missed in between.
        let rearmed = groups.inner.rearmed.notified();
        if groups.is_closed() {
            return;
        }
        let due = groups.step(|shared, now| shared.coordinator.tick(now));
        let due = due.map(|ms| groups.inner.started + Duration::from_millis(ms));
        let wake = due.map_or(next_sweep, |due| due.min(next_sweep));
        tokio::select! {
            () = sleep_until(wake) => {}
            () = rearmed => {}
        }
        if Instant::now() >= next_sweep {
            sweep(&groups).await;
            next_sweep = Instant::now() + interval;
        }
    }
}

async fn sweep(groups: &Groups) {
    let wall_ms = groups.inner.clock.now_ms();
    let expired = groups.step(|shared, now| shared.coordinator.sweep(now, wall_ms));
    if expired.is_empty() {
        return;
    }
    let count = expired.len();
    if groups.record(expired).await.is_ok() {
        tracing::info!(count, "forgot committed offsets of groups that were empty for too long");
    }
}
