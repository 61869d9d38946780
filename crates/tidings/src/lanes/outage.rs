//! Outage mode: when what a handler depends on is away everything fails, and to try each event by
//! itself would use its attempts up, and ask the dependency the more the worse it is. So the
//! outcomes of a handler have one owner, [`Outage`]. While it finds that nearly everything fails,
//! attempts wait for their turn, few at a time, and none is counted.
//!
//! The rule is in `docs/when-a-dependency-is-down.md`; [`machine`] has it without clock and I/O.
//! A handler that is well pays an atomic load per event: a success that tells nothing new is not
//! even recorded.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::attempt::{Stage, attempt, random};
use super::delivery::Delivery;
use super::hash::{hash, spread};
use super::place::Phase;
use super::{Clock, Group, Job};
use crate::fail::{Fail, FailKind};
use crate::handler::{Ended, Registered};
use crate::metrics::Meters;
use crate::progress;
use crate::service::limits::SKIPPED_PROBES_MAX;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod given_up;
mod machine;
mod probing;
mod signs;
#[cfg(test)]
mod tests;
mod turns;
mod window;

pub(crate) use machine::Outcome;
use machine::{Change, Machine, Mode, Ticket};
use probing::May;
use signs::Signs;
pub(crate) use turns::Queue;
use turns::Turns;

/// The outages of one group's handlers, by their index in the router.
pub(crate) struct Outages {
    each: Vec<Outage>,
    /// How often one has begun or ended.
    changes: AtomicU64,
}

/// One handler's outcomes, and who waits for an attempt.
struct Outage {
    /// The machine's [`Mode`], for those who need not ask the machine.
    mode: AtomicU8,
    inner: Mutex<Inner>,
}

struct Inner {
    machine: Machine,
    turns: Turns,
    signs: Signs,
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    given_up: given_up::GivenUp,
}

/// The right to make one attempt. Dropped without an outcome, it says nothing and gives its place
/// to the next one.
#[must_use = "tell it how the attempt ended"]
pub(crate) struct Permit<'g> {
    group: &'g Group,
    index: usize,
    ticket: Ticket,
}

/// A place among those who wait. Dropped, it is left.
struct Place<'g> {
    outage: &'g Outage,
    queue: Queue,
    number: u64,
    bell: Arc<Notify>,
}

impl Outages {
    pub(crate) fn new(group: &str, handlers: &[Arc<Registered>], meters: &Meters) -> Outages {
        let each = handlers.iter().enumerate().map(|(index, handler)| {
            let (machine, turns) = (Machine::new(), Turns::default());
            let signs = Signs::new(group, handler.name, meters.outage(index), meters.stats());
            Outage {
                mode: AtomicU8::new(machine.mode() as u8),
                inner: Mutex::new(Inner {
                    machine,
                    turns,
                    signs,
                    #[cfg(any(feature = "sqlite", feature = "postgres"))]
                    given_up: Default::default(),
                }),
            }
        });
        Outages { each: each.collect(), changes: AtomicU64::new(0) }
    }

    /// Whether the handler may only be tried in turn, and no attempt counts.
    pub(crate) fn is_probing(&self, index: usize) -> bool {
        self.each[index].mode() == Mode::Probing as u8
    }

    /// Whether a parked key of the handler would have to wait behind another one.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn has_parked_waiting(&self, index: usize) -> bool {
        self.is_probing(index) && self.each[index].lock().turns.has_parked()
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn are_none(&self) -> bool {
        self.probing().next().is_none()
    }

    /// Grows with each outage that begins or ends.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Those that last, for the commit's metadata.
    pub(crate) fn lasting(&self) -> Vec<progress::Outage> {
        let outage = |outage: &Outage| outage.lock().signs.outage();
        self.probing().filter_map(outage).collect()
    }

    /// The last failure of each that lasts, for tests.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.probing().filter_map(|outage| outage.lock().signs.failure()).collect()
    }

    fn probing(&self) -> impl Iterator<Item = &Outage> {
        self.each.iter().filter(|outage| outage.mode() == Mode::Probing as u8)
    }
}

impl Group {
    /// Waits until the handler may begin an attempt: not at all while it is well. Of parked keys
    /// only one waits; `None`: that is another one.
    pub(crate) async fn permit(&self, index: usize, queue: Queue) -> Option<Permit<'_>> {
        let outage = &self.outages.each[index];
        let permit = |ticket| Permit { group: self, index, ticket };
        if outage.mode() != Mode::Probing as u8 {
            return Some(permit(Ticket::WELL));
        }
        let place = outage.enter(queue)?;
        loop {
            let wait = match outage.try_begin(&place, self.clock.now()) {
                Ok(ticket) => {
                    let permit = permit(ticket);
                    drop(place);
                    self.parked_may_come(queue);
                    return Some(permit);
                }
                Err(wait) => wait,
            };
            // Clocks that count milliseconds would never come to the end of a part of one.
            match wait.map(|wait| wait + Duration::from_millis(1)) {
                Some(wait) => tokio::select! {
                    () = self.clock.sleep(wait) => {}
                    () = place.bell.notified() => {}
                },
                None => place.bell.notified().await,
            }
        }
    }

    /// An attempt has ended at its first poll. Told before the next one begins: one thread may
    /// begin many.
    pub(crate) fn ended_at_once<T>(
        &self,
        index: usize,
        delivery: &Delivery,
        result: &Result<T, Fail>,
    ) {
        Permit { group: self, index, ticket: Ticket::WELL }.ended(delivery, result);
    }

    fn tell(
        &self,
        index: usize,
        ticket: Ticket,
        outcome: Outcome,
        delivery: Option<&Delivery>,
        fail: Option<&Fail>,
    ) {
        let outage = &self.outages.each[index];
        let (key, now) = (delivery.map_or(0, key_of), self.clock.now());
        let mut inner = outage.lock();
        let waiting = inner.turns.waiting();
        let change = inner.machine.ended(ticket, key, outcome, waiting, now, random());
        let mode = inner.machine.mode();
        outage.mode.store(mode as u8, Ordering::Release);
        // Under the lock, so that what people see comes in the order in which it was.
        match change {
            Change::Began => {
                #[cfg(any(feature = "sqlite", feature = "postgres"))]
                inner.revive();
                inner.signs.began(fail);
            }
            Change::Over => inner.signs.over(),
            Change::None if mode == Mode::Probing => inner.signs.failed(fail),
            Change::None => {}
        }
        match change {
            Change::Over => inner.turns.ring_all(),
            _ => inner.turns.ring_first(),
        }
        drop(inner);
        if change != Change::None {
            self.outages.changes.fetch_add(1, Ordering::AcqRel);
            self.parked_may_come(Queue::Parked);
        }
    }

    /// Whoever drains waits for more, since a parked key is served, or all may be.
    fn parked_may_come(&self, queue: Queue) {
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        if queue == Queue::Parked {
            self.parked.notify_one();
        }
        #[cfg(not(any(feature = "sqlite", feature = "postgres")))]
        let _nobody_drains = queue;
    }
}

impl Outage {
    fn mode(&self) -> u8 {
        self.mode.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, queue: Queue) -> Option<Place<'_>> {
        let mut inner = self.lock();
        if queue == Queue::Parked && inner.turns.has_parked() {
            return None;
        }
        let (number, bell) = inner.turns.enter(queue);
        Some(Place { outage: self, queue, number, bell })
    }

    /// Begins an attempt, or says how long that takes at most; not known: until the bell rings.
    fn try_begin(&self, place: &Place<'_>, now: Duration) -> Result<Ticket, Option<Duration>> {
        let mut inner = self.lock();
        if inner.machine.mode() != Mode::Probing {
            return Ok(Ticket::WELL);
        }
        if !inner.turns.is_first(place.queue, place.number) {
            return Err(None);
        }
        match inner.machine.may_begin(now) {
            May::Now => {
                inner.turns.serve(place.queue, place.number);
                inner.turns.ring_first();
                Ok(inner.machine.begin())
            }
            May::In(wait) => Err(Some(wait)),
            May::Later => Err(None),
        }
    }
}

impl Permit<'_> {
    /// The attempt at this event has ended like this.
    pub(crate) fn ended<T>(mut self, delivery: &Delivery, result: &Result<T, Fail>) {
        let fail = result.as_ref().err();
        let outcome = match fail.map(Fail::kind) {
            None => Outcome::Succeeded,
            Some(FailKind::Retry) => Outcome::Failed,
            Some(FailKind::Down) => Outcome::Down,
            Some(FailKind::Reject) => Outcome::Neither,
        };
        let ticket = std::mem::replace(&mut self.ticket, Ticket::WELL);
        let is_quiet = self.group.outages.each[self.index].mode() == Mode::Quiet as u8;
        if !(is_quiet && outcome == Outcome::Succeeded) {
            self.group.tell(self.index, ticket, outcome, Some(delivery), fail);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.ticket != Ticket::WELL {
            self.group.tell(self.index, self.ticket, Outcome::Neither, None, None);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inner = self.outage.lock();
        inner.turns.leave(self.queue, self.number);
        // It may have been this one that was rung for.
        inner.turns.ring_first();
    }
}

/// One attempt at an event that is in its lane, when its handler may begin it, and with a slot.
/// `None`: the partition is being given up, so nothing that does not run yet may begin.
pub(crate) async fn attempt_in_turn(
    group: &Group,
    job: &Job,
    index: usize,
    stage: Stage,
    number: u32,
    door: Option<crate::stored::Door>,
) -> Option<(Result<Ended, Fail>, Duration)> {
    let (stage, permit) = match stage {
        Stage::Begin(slot) => begin(group, job, index, slot, number).await?,
        // It began while the handler was well, and what has ended was told then.
        begun @ Stage::Running(..) => (begun, Permit { group, index, ticket: Ticket::WELL }),
        over => return Some(attempt(group, job, index, over, number, door).await),
    };
    let (result, elapsed) = attempt(group, job, index, stage, number, door).await;
    permit.ended(&job.delivery, &result);
    Some((result, elapsed))
}

/// Waits for the handler's permit, without a slot, and then for a slot.
async fn begin<'g>(
    group: &'g Group,
    job: &Job,
    index: usize,
    slot: super::attempt::Slot,
    number: u32,
) -> Option<(Stage, Permit<'g>)> {
    let is_probing = group.outages.is_probing(index);
    if let (false, Some(slot)) = (is_probing, slot) {
        let permit = Permit { group, index, ticket: Ticket::WELL };
        return Some((Stage::Begin(Some(slot)), permit));
    }
    // A test without a broker does not wait for what does not come.
    if is_probing && number > SKIPPED_PROBES_MAX && matches!(group.clock, Clock::Skipping(_)) {
        return None;
    }
    let turn = async {
        let permit = group.permit(index, Queue::Lanes).await?;
        let slot = Arc::clone(&group.slots).acquire_owned().await.ok();
        Some((Stage::Begin(slot), permit))
    };
    tokio::select! {
        turn = turn => turn,
        () = job.delivery.place().reached(Phase::Draining) => None,
    }
}

/// What tells keys apart, whether the event comes from its lane or was parked. Events without a key
/// have one each.
fn key_of(delivery: &Delivery) -> u64 {
    let place = delivery.place();
    let topic = crc32c::crc32c(place.topic.as_bytes());
    match delivery.key() {
        Some(key) => hash(topic, key),
        None => {
            let alone = (u64::from(topic) << 32) ^ u64::from(place.partition.cast_unsigned());
            spread(spread(alone) ^ delivery.offset().cast_unsigned())
        }
    }
}
