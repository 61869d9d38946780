//! One attempt at one event: run to its end or its time-out, its panics caught; and the waits
//! between attempts.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::place::Phase;
use super::retry::Jitter;
use super::{Group, Job, Work};
use crate::fail::{Fail, FailKind};
use crate::handler::panic::catching;
use crate::handler::{Attempt, Ended};
use crate::stored::Door;

/// How far the first attempt came before the flight began.
pub(crate) enum Stage {
    /// Not begun.
    Begin(Option<OwnedSemaphorePermit>),
    /// Polled once and pending; it took so long until then.
    Running(Attempt, Option<OwnedSemaphorePermit>, Duration),
    /// Over, after so long.
    Ended(Result<Ended, Fail>, Duration),
    /// There is nothing to run: nobody can read the record.
    Bury,
}

/// A slot, for as long as a handler runs.
pub(crate) type Slot = Option<OwnedSemaphorePermit>;

/// Runs one attempt to its end, or to its time-out.
pub(crate) async fn attempt(
    group: &Group,
    job: &Job,
    index: usize,
    stage: Stage,
    number: u32,
    door: Option<Door>,
) -> (Result<Ended, Fail>, Duration) {
    let (running, slot, before) = match stage {
        Stage::Ended(result, elapsed) => return (result, elapsed),
        Stage::Running(running, slot, elapsed) => (running, slot, elapsed),
        Stage::Begin(slot) => {
            let envelope = match &job.work {
                Work::Handle(_, envelope) => envelope.clone(),
                Work::Bury(..) => None,
            };
            (group.attempt(index, &job.delivery, envelope, number, door), slot, Duration::ZERO)
        }
        Stage::Bury => {
            let fail = Fail::reject("a record that nobody reads has no attempts");
            return (Err(fail), Duration::ZERO);
        }
    };
    let handler = &group.router.handlers[index];
    let begun = Instant::now();
    let inflight = group.meters.inflight(index);
    let result = match tokio::time::timeout(handler.timeout, Guarded(running)).await {
        Ok(result) => result,
        Err(_) => Err(Fail::of_class(
            FailKind::Retry,
            "timeout",
            format!(
                "handler `{}` was cancelled: it took longer than its time-out of {:?}",
                handler.name, handler.timeout
            ),
        )),
    };
    drop((inflight, slot));
    (result, before + begun.elapsed())
}

/// An attempt whose panics are caught.
struct Guarded(Attempt);

impl Future for Guarded {
    type Output = Result<Ended, Fail>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        catching(|| self.0.as_mut().poll(cx))
    }
}

/// Waits without a slot, then for one. `None`: the partition is being given up, so nothing that
/// does not run yet may begin.
pub(crate) async fn wait_for_turn(group: &Group, job: &Job, delay: Duration) -> Option<Slot> {
    let turn = async {
        if !delay.is_zero() {
            group.clock.sleep(delay).await;
        }
        Arc::clone(&group.slots).acquire_owned().await.ok()
    };
    tokio::select! {
        slot = turn => Some(slot),
        () = job.delivery.place().reached(Phase::Draining) => None,
    }
}

/// The first try that failed, and those that leave somebody time to read: a lane that waits for a
/// broker that is away would say the same many times in its first second. All are counted.
pub(crate) fn is_worth_a_line(failed_before: u32, delay: Duration) -> bool {
    failed_before == 0 || delay >= Duration::from_secs(1)
}

/// Randomness for jitter.
pub(crate) fn random() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(0);
    // Uniqueness is all that matters between threads; the sequence itself is mixed by `Jitter`.
    let seed = STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    Jitter::seeded(seed ^ u64::from(std::process::id())).next()
}
