//! An event that was not done at its first poll: the rest of the attempt, further attempts, what
//! it publishes, and where it goes when nothing helps. One task follows one event to its end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::place::Phase;
use super::retry::{Jitter, away_delay};
use super::{End, Group, Job, Work};
use crate::events::{Ready, Stamp};
use crate::fail::{Fail, FailKind};
use crate::handler::panic::catching;
use crate::handler::{Attempt, Ended};
use crate::lanes::outlet::Burial;
use crate::stored::{Settled, Stored};
use crate::time::Timestamp;

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
type Slot = Option<OwnedSemaphorePermit>;

/// Follows one event to its end. Dropping it cancels whatever runs; nothing is reported then.
pub(crate) async fn pursue(group: &Arc<Group>, job: &Job, stage: Stage) -> End {
    let index = match &job.work {
        Work::Handle(index, _) => *index,
        Work::Bury(index, fail) => return bury(group, job, *index, fail, &Tries::default()).await,
    };
    let mut tries = Tries::default();
    let mut stage = stage;
    loop {
        if group.scope.stored.is_some() && is_known(group, job, index).await {
            group.meters.duplicate();
            return End::Finished;
        }
        let (result, elapsed) = attempt(group, job, index, stage, tries.begun + 1).await;
        tries.begun += 1;
        let ended = match (result, &group.scope.stored) {
            (Ok(ended), None) => {
                publish(group, job, index, ended).await.map(|()| Settled::Done(Vec::new()))
            }
            (Ok(ended), Some(stored)) => settle(group, stored, job, index, ended).await,
            (Err(fail), _) => Err(fail),
        };
        let fail = match ended {
            Ok(Settled::Done(_)) => {
                group.meters.done(index, elapsed);
                return End::Finished;
            }
            Ok(Settled::Elsewhere) => {
                group.meters.duplicate();
                return End::Finished;
            }
            Err(fail) => fail,
        };
        let Some(delay) = tries.after(group, job, index, &fail) else {
            group.meters.failed(index, elapsed);
            return bury(group, job, Some(index), &fail, &tries).await;
        };
        group.meters.retried(index, fail.kind());
        let Some(slot) = wait_for_turn(group, job, delay).await else { return End::Abandoned };
        stage = Stage::Begin(slot);
    }
}

/// What has happened to one event so far.
#[derive(Default)]
struct Tries {
    begun: u32,
    counted: u32,
    away: u32,
    first_failed_at: Option<Timestamp>,
    last_failed_at: Option<Timestamp>,
}

impl Tries {
    /// The wait before the next attempt; none if that was the last.
    fn after(&mut self, group: &Group, job: &Job, index: usize, fail: &Fail) -> Option<Duration> {
        let now = Timestamp::now();
        self.first_failed_at.get_or_insert(now);
        self.last_failed_at = Some(now);
        let delay = match fail.kind() {
            FailKind::Reject => None,
            FailKind::Retry => {
                self.counted += 1;
                group.retries.delay_after(self.counted, random())
            }
            FailKind::Down => {
                self.away += 1;
                Some(away_delay(self.away - 1, random()))
            }
        };
        let handler = group.router.handlers[index].name;
        let address = job.delivery.address();
        match delay {
            Some(delay) => tracing::warn!(
                handler, %address, attempt = self.begun, error = %fail,
                "attempt failed, next in {} ms", delay.as_millis(),
            ),
            None => tracing::error!(
                handler, %address, attempt = self.begun, error = %fail,
                "given up: to the dead letters",
            ),
        }
        delay
    }
}

/// Waits without a slot, then for one. `None`: the partition is being given up, so nothing that
/// does not run yet may begin.
async fn wait_for_turn(group: &Group, job: &Job, delay: Duration) -> Option<Slot> {
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

/// Runs one attempt to its end, or to its time-out.
async fn attempt(
    group: &Group,
    job: &Job,
    index: usize,
    stage: Stage,
    number: u32,
) -> (Result<Ended, Fail>, Duration) {
    let (running, slot, before) = match stage {
        Stage::Ended(result, elapsed) => return (result, elapsed),
        Stage::Running(running, slot, elapsed) => (running, slot, elapsed),
        Stage::Begin(slot) => {
            let envelope = match &job.work {
                Work::Handle(_, envelope) => envelope.clone(),
                Work::Bury(..) => None,
            };
            (group.attempt(index, &job.delivery, envelope, number), slot, Duration::ZERO)
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

/// Whether the handler is done with the event already. A store that is away is waited for: nothing
/// can be handled without it.
async fn is_known(group: &Group, job: &Job, index: usize) -> bool {
    let (Some(stored), Ok(mark)) = (&group.scope.stored, group.mark(index, job)) else {
        return false;
    };
    let mut tries = 0;
    loop {
        let error = match stored.knows(&mark).await {
            Ok(known) => return known,
            Err(error) => error,
        };
        let delay = away_delay(tries, random());
        if is_worth_a_line(tries, delay) {
            tracing::error!(
                consumer = mark.consumer, address = %mark.address, %error,
                "the inbox cannot be asked; next try in {} ms", delay.as_millis(),
            );
        }
        tries += 1;
        group.clock.sleep(delay).await;
    }
}

/// Commits what the attempt has written with what it returned, and that the event was handled.
async fn settle(
    group: &Group,
    stored: &Stored,
    job: &Job,
    index: usize,
    ended: Ended,
) -> Result<Settled, Fail> {
    let mark = group.mark(index, job)?;
    let settled = stored.settle(ended, &mark, &group.scope.source).await?;
    if let Settled::Done(events) = &settled {
        events.iter().for_each(|event| group.meters.published(&event.event.ty, &event.topic));
        group.outlet.stored(events);
    }
    Ok(settled)
}

/// Publishes what the attempt returned, and waits until the broker has all of it.
///
/// An event that can never be published (too large, not JSON) is the handler's failure. Whatever
/// else goes wrong is waited for: the lane stands still, as its next event must not overtake.
async fn publish(group: &Group, job: &Job, index: usize, ended: Ended) -> Result<(), Fail> {
    let Ended { events, causation, trace, .. } = ended;
    if events.is_empty() {
        return Ok(());
    }
    let stamp = Stamp {
        source: &group.scope.source,
        now: Timestamp::now(),
        causation: causation.as_deref(),
        trace: trace.as_ref(),
    };
    // All are stamped before any is sent: one that cannot be written holds back the others.
    let drafts = events.into_iter().map(|draft| draft.stamp(&stamp));
    let mut ready: Vec<Ready> = drafts.collect::<Result<_, _>>().map_err(Fail::reject)?;
    let mut tries = 0;
    loop {
        let (acknowledged, outcome) = group.outlet.publish(&ready).await;
        for event in ready.drain(..acknowledged) {
            group.meters.published(&event.event.ty, &event.topic);
        }
        let Err(error) = outcome else { return Ok(()) };
        if !error.is_retryable() {
            return Err(Fail::reject(error));
        }
        let delay = away_delay(tries, random());
        group.meters.publish_failed();
        if is_worth_a_line(tries, delay) {
            tracing::error!(
                handler = group.router.handlers[index].name, address = %job.delivery.address(),
                %error, "returned events are not published yet; next try in {} ms",
                delay.as_millis(),
            );
        }
        tries += 1;
        group.clock.sleep(delay).await;
    }
}

/// Writes the dead letter, however long it takes: until then the offset stays.
async fn bury(group: &Group, job: &Job, index: Option<usize>, fail: &Fail, tries: &Tries) -> End {
    let now = Timestamp::now();
    let burial = Burial {
        record: job.delivery.record(),
        group: &group.name,
        handler: index.map(|index| group.router.handlers[index].name),
        fail,
        attempts: tries.begun,
        first_failed_at: tries.first_failed_at.unwrap_or(now),
        last_failed_at: tries.last_failed_at.unwrap_or(now),
    };
    let mut failures = 0;
    while let Err(error) = group.outlet.bury(&burial).await {
        let delay = away_delay(failures, random());
        group.meters.publish_failed();
        if is_worth_a_line(failures, delay) {
            tracing::error!(
                address = %job.delivery.address(), %error,
                "the dead letter is not written yet; next try in {} ms", delay.as_millis(),
            );
        }
        failures += 1;
        group.clock.sleep(delay).await;
    }
    group.meters.dead_lettered(&job.delivery.place().topic, index, fail.class());
    End::Finished
}

/// The first try that failed, and those that leave somebody time to read: a lane that waits for a
/// broker that is away would say the same many times in its first second. All are counted.
fn is_worth_a_line(failed_before: u32, delay: Duration) -> bool {
    failed_before == 0 || delay >= Duration::from_secs(1)
}

/// Randomness for jitter.
fn random() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(0);
    // Uniqueness is all that matters between threads; the sequence itself is mixed by `Jitter`.
    let seed = STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    Jitter::seeded(seed ^ u64::from(std::process::id())).next()
}
