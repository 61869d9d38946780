//! An event as it comes, followed to its end: handled, or parked with the later ones of its key
//! behind it. Its lane in memory never waits for another attempt, but while what the handler
//! depends on is away.

use std::sync::Arc;
use std::time::Duration;

use tidings_store::inbox::{self, Standing};
use tidings_store::parking::Parked;

use super::Stored;
use super::case::Case;
use super::settle::{Settled, Turn};
use crate::fail::{Fail, FailKind};
use crate::lanes::attempt::{Stage, attempt, is_worth_a_line, random, wait_for_turn};
use crate::lanes::retry::away_delay;
use crate::lanes::tries::Tries;
use crate::lanes::{End, Group, Job, Work};

/// What is to be done with an event now.
enum Next {
    End,
    /// Look again, and try again, after so long.
    Again(Duration),
    /// Park it with this failure, due after so long or not at all.
    Park(Arc<Fail>, Option<Duration>),
}

impl Stored {
    /// Follows one event to its end. Dropping it cancels whatever runs; nothing is reported then.
    pub(crate) async fn pursue(&self, group: &Arc<Group>, job: &Job, stage: Stage) -> End {
        let case = Case::of(group, job);
        let mut tries = Tries::default();
        let mut stage = stage;
        loop {
            match self.standing(group, &case).await {
                Standing::New => {}
                Standing::Known => {
                    group.meters.duplicate();
                    return End::Finished;
                }
                Standing::Behind => match self.park_behind(group, job, &case).await {
                    Parked::NotParked => continue,
                    _ => return End::Finished,
                },
            }
            let delay = match self.once(group, job, &case, stage, &mut tries).await {
                Next::End => return End::Finished,
                Next::Again(delay) => delay,
                Next::Park(fail, due) => {
                    self.park(group, job, &case, &fail, &tries, due).await;
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
        tries: &mut Tries,
    ) -> Next {
        let index = match &job.work {
            Work::Handle(index, _) => *index,
            Work::Bury(_, fail) => return Next::Park(Arc::clone(fail), None),
        };
        let turn = Turn::Fresh(case);
        let number = tries.begun + 1;
        let (result, elapsed) = attempt(group, job, index, stage, number, Some(turn.gate())).await;
        let settled = match result {
            Ok(ended) => self.settle(group, ended, &turn).await,
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
            Err(fail) => fail,
        };
        tries.begun += 1;
        let handler = Some(group.router.handlers[index].name);
        let delay = tries.after(group, &case.address, handler, &fail);
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
            match inbox::look(&self.store, &case.entry(), &case.lane).await {
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
                consumer = case.lane.consumer, address = %case.address, %error,
                "{what}; next try in {} ms", delay.as_millis(),
            );
        }
        self.tries += 1;
        group.clock.sleep(delay).await;
    }
}
