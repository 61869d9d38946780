//! An event as it comes, followed to its end: handled, or parked with the later ones of its key
//! behind it. Its lane in memory never waits for another attempt, but while what the handler
//! depends on is away.

use std::sync::Arc;
use std::time::Duration;

use tidings_store::inbox::Standing;
use tidings_store::parking::Parked;

use super::Door;
use super::Stored;
use super::case::Case;
use super::settle::Settled;
use crate::fail::{Fail, FailKind};
use crate::lanes::attempt::{Stage, is_worth_a_line, random, wait_for_turn};
use crate::lanes::outage::attempt_in_turn;
use crate::lanes::retry::away_delay;
use crate::lanes::tries::Tries;
use crate::lanes::{End, Group, Job, Work};

/// What is to be done with an event now.
enum Next {
    End,
    /// The partition is being given up.
    Abandon,
    /// Look again, and try again, after so long.
    Again(Duration),
    /// Park it with this failure, due after so long or not at all.
    Park(Arc<Fail>, Option<Duration>),
}

/// What an event has been through.
#[derive(Default)]
struct Course {
    tries: Tries,
    /// It goes on in transactions of its own.
    alone: bool,
}

impl Stored {
    /// Follows one event to its end. Dropping it cancels whatever runs; nothing is reported then.
    pub(crate) async fn pursue(&self, group: &Arc<Group>, job: &Job, stage: Stage) -> End {
        let case = Case::of(group, job);
        let mut course = Course::default();
        let mut stage = stage;
        loop {
            match self.standing(group, &case).await {
                Standing::New => {}
                Standing::Known => {
                    group.meters.duplicate();
                    return End::Finished;
                }
                Standing::Behind => match Box::pin(self.park_behind(group, job, &case)).await {
                    Parked::NotParked => continue,
                    _ => return End::Finished,
                },
            }
            let delay = match self.once(group, job, &case, stage, &mut course).await {
                Next::End => return End::Finished,
                Next::Abandon => return End::Abandoned,
                Next::Again(delay) => delay,
                Next::Park(fail, due) => {
                    // What happens rarely is not to make the usual way longer.
                    Box::pin(self.park(group, job, &case, &fail, &course.tries, due)).await;
                    return End::Finished;
                }
            };
            let Some(slot) = wait_for_turn(group, job, delay).await else {
                return End::Abandoned;
            };
            stage = Stage::Begin(slot);
        }
    }

    /// One attempt, with all that comes of it but parking.
    async fn once(
        &self,
        group: &Arc<Group>,
        job: &Job,
        case: &Case,
        stage: Stage,
        course: &mut Course,
    ) -> Next {
        let index = match &job.work {
            Work::Handle(index, _) => *index,
            Work::Bury(_, fail) => return Next::Park(Arc::clone(fail), None),
        };
        let handler = &group.router.handlers[index];
        let door = Door::fresh(self, handler, &case.event.lane, course.alone);
        let number = course.tries.begun + 1;
        let tried = attempt_in_turn(group, job, index, stage, number, Some(door.clone())).await;
        let Some((result, elapsed)) = tried else { return Next::Abandon };
        let settled = match result {
            Ok(ended) => self.settle(group, handler, ended, case, door).await,
            // The transaction that it failed in may have been spoilt before it came.
            Err(_) if door.had_company() => Ok(Settled::Undone { alone: true }),
            Err(fail) => Err(fail),
        };
        let fail = match settled {
            Ok(Settled::Done) => {
                group.meters.done(index, elapsed);
                return Next::End;
            }
            Ok(Settled::Elsewhere) => {
                group.meters.duplicate();
                return Next::End;
            }
            Ok(Settled::NotNow) => return Next::Again(Duration::ZERO),
            Ok(Settled::Undone { alone }) => {
                course.alone |= alone;
                return Next::Again(Duration::ZERO);
            }
            Err(fail) => fail,
        };
        course.alone |= fail.kind() == FailKind::Down;
        course.tries.begun += 1;
        let delay = course.tries.after(group, &case.address, Some(index), &fail);
        match (fail.kind(), delay) {
            (FailKind::Down, Some(delay)) | (_, Some(delay @ Duration::ZERO)) => {
                group.meters.retried(index, fail.kind());
                Next::Again(delay)
            }
            (_, due) => {
                if due.is_none() {
                    group.meters.failed(index, elapsed);
                }
                Next::Park(Arc::new(fail), due)
            }
        }
    }

    /// How the event stands. A store that is away is waited for: nothing can be handled without it.
    async fn standing(&self, group: &Group, case: &Case) -> Standing {
        let mut away = Away::default();
        loop {
            match self.together().looks.look(&case.event).await {
                Ok(standing) => return standing,
                Err(error) => away.wait(group, case, "the inbox cannot be asked", &error).await,
            }
        }
    }
}

/// Waits for a store that is away, less and less often.
#[derive(Default)]
pub(super) struct Away {
    tries: u32,
}

impl Away {
    pub(super) async fn wait(
        &mut self,
        group: &Group,
        case: &Case,
        what: &str,
        error: &tidings_store::StoreError,
    ) {
        let delay = away_delay(self.tries, random());
        if is_worth_a_line(self.tries, delay) {
            tracing::error!(
                consumer = case.event.lane.consumer, address = %case.address, %error,
                "{what}; next try in {} ms", delay.as_millis(),
            );
        }
        self.tries += 1;
        group.clock.sleep(delay).await;
    }
}
