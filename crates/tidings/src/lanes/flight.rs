//! An event that was not done at its first poll: the rest of the attempt, further attempts, what
//! it publishes, and where it goes when nothing helps. One task follows one event to its end: here
//! without a store, in [`Stored::pursue`](crate::stored::Stored::pursue) with one.

use std::sync::Arc;

use super::attempt::{Stage, is_worth_a_line, random, wait_for_turn};
use super::burial::{Burial, Why};
use super::outage::attempt_in_turn;
use super::retry::away_delay;
use super::tries::Tries;
use super::{End, Group, Job, Work};
use crate::events::{Ready, Stamp};
use crate::fail::Fail;
use crate::handler::Ended;
use crate::time::Timestamp;

/// Follows one event to its end. Dropping it cancels whatever runs; nothing is reported then.
pub(crate) async fn pursue(group: &Arc<Group>, job: &Job, stage: Stage) -> End {
    if let Some(stored) = &group.scope.stored {
        // Its own allocation: else it would be a part of every flight, and moved with it.
        return Box::pin(stored.pursue(group, job, stage)).await;
    }
    let index = match &job.work {
        Work::Handle(index, _) => *index,
        Work::Bury(index, fail) => return bury(group, job, *index, fail, &Tries::default()).await,
    };
    let mut tries = Tries::default();
    let mut stage = stage;
    loop {
        let number = tries.begun + 1;
        let tried = attempt_in_turn(group, job, index, stage, number, None).await;
        let Some((result, elapsed)) = tried else { return End::Abandoned };
        tries.begun += 1;
        let result = match result {
            Ok(ended) => publish(group, job, index, ended).await,
            Err(fail) => Err(fail),
        };
        let fail = match result {
            Ok(()) => {
                group.meters.done(index, elapsed);
                return End::Finished;
            }
            Err(fail) => fail,
        };
        let address = job.delivery.address();
        let Some(delay) = tries.after(group, &address, Some(index), &fail) else {
            group.meters.failed(index, elapsed);
            return bury(group, job, Some(index), &fail, &tries).await;
        };
        group.meters.retried(index, fail.kind());
        let Some(slot) = wait_for_turn(group, job, delay).await else { return End::Abandoned };
        stage = Stage::Begin(slot);
    }
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
    let handler = index.map(|index| group.router.handlers[index].name);
    let burial = Burial {
        record: job.delivery.record(),
        group: &group.name,
        handler,
        why: Why::of(fail, handler),
        attempts: tries.begun,
        first_failed_at: tries.first_failed_at.unwrap_or(now),
        last_failed_at: tries.last_failed_at.unwrap_or(now),
        state: None,
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
