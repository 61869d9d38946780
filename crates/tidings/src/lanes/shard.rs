//! A shard: the task that owns some of the lanes, begins their attempts and polls each once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::attempt::Stage;
use super::delivery::Delivery;
use super::pack::Pack;
use super::place::Phase;
use super::route::Route;
use super::{End, Group, Job, Report, Reports, Work, flight, jobs, lane_of};
use crate::handler::panic::catching;
use crate::metrics::Measures;
use crate::service::limits::{
    INLINE_FORGIVEN, INLINE_KEPT_MAX, INLINE_PENALTY_EVENTS, INLINE_POLL_MAX,
};

/// What a shard is told.
pub(super) enum Told {
    /// Records, in order.
    Pack(Arc<Pack>),
    /// A lane's attempt has ended and was reported; the next may begin.
    LaneFree(u64),
}

pub(super) struct Shard {
    group: Arc<Group>,
    reports: Arc<dyn Reports>,
    /// For flights, so that they can tell that their lane is free. Weak: a shard ends when its
    /// consumer and its flights are gone.
    to_self: mpsc::WeakUnboundedSender<Told>,
    /// Lanes with an attempt under way or waiting for a slot, and what waits behind it.
    lanes: HashMap<u64, VecDeque<Job>, BuildHasherDefault<LaneHasher>>,
    /// Lanes that wait for a slot, in turn.
    ready: VecDeque<u64>,
    /// The right to run one handler. Held while there is work, and handed on to an attempt that
    /// does not end at its first poll.
    slot: Option<OwnedSemaphorePermit>,
    /// Reports and measures of this burst of work.
    ended: Vec<Report>,
    measures: Measures,
    /// Per handler, how it has behaved at first polls.
    manners: Vec<Manners>,
    last_instant: Instant,
}

/// Lane numbers are hashes already.
#[derive(Default)]
struct LaneHasher(u64);

impl Hasher for LaneHasher {
    fn write(&mut self, _: &[u8]) {
        unreachable!("lanes are numbers of 64 bits");
    }

    fn write_u64(&mut self, lane: u64) {
        self.0 = lane;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Shard {
    pub(super) fn new(
        group: Arc<Group>,
        reports: Arc<dyn Reports>,
        to_self: &mpsc::UnboundedSender<Told>,
    ) -> Shard {
        Shard {
            manners: vec![Manners::default(); group.router.handlers.len()],
            reports,
            to_self: to_self.downgrade(),
            lanes: HashMap::default(),
            ready: VecDeque::new(),
            slot: None,
            ended: Vec::new(),
            measures: Measures::new(group.router.handlers.len()),
            group,
            last_instant: Instant::now(),
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Told>) {
        loop {
            let waits_for_slot = !self.ready.is_empty();
            let slots = Arc::clone(&self.group.slots);
            let message = tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => Some(message),
                    None => return,
                },
                permit = slots.acquire_owned(), if waits_for_slot => {
                    self.slot = permit.ok();
                    None
                }
            };
            self.last_instant = Instant::now();
            if let Some(message) = message {
                self.take(message);
            }
            self.run_ready();
            // What is there already belongs to the same burst; then others get their turn.
            for _ in 0..16 {
                let Ok(message) = inbox.try_recv() else { break };
                self.take(message);
                self.run_ready();
            }
            self.end_burst();
            tokio::task::yield_now().await;
        }
    }

    fn take(&mut self, message: Told) {
        match message {
            Told::Pack(pack) => pack.deliveries().for_each(|delivery| self.accept(delivery)),
            Told::LaneFree(lane) => self.advance(lane),
        }
    }

    /// Reports go out together, and the slot goes back, so that an idle shard holds nothing.
    fn end_burst(&mut self) {
        if !self.ended.is_empty() {
            self.reports.report(&mut self.ended);
        }
        self.group.meters.add(&mut self.measures);
        self.slot = None;
    }

    fn accept(&mut self, delivery: Delivery) {
        let group = Arc::clone(&self.group);
        let seed = delivery.lane_seed();
        // The usual case needs no list.
        if let Route::Handle(&[index], envelope) = group.router.route(&delivery) {
            let work = Work::Handle(index, envelope);
            self.enter(lane_of(seed, index), Job { delivery, work, others: None });
            return;
        }
        let jobs = jobs(&group, &delivery);
        if jobs.is_empty() {
            group.meters.passed_by(&delivery.place().topic);
            self.ended.push(Report::of(&delivery, End::Finished));
        }
        for (index, job) in jobs {
            self.enter(lane_of(seed, index), job);
        }
    }

    /// A job comes to its lane: begins if the lane is idle and a slot is there, else waits.
    fn enter(&mut self, lane: u64, job: Job) {
        // Those that wait for a slot came first.
        let may_begin = self.ready.is_empty() && self.has_slot();
        match self.lanes.entry(lane) {
            Entry::Occupied(mut queue) => queue.get_mut().push_back(job),
            Entry::Vacant(_) if may_begin => {
                if self.begin(lane, job) == Begun::Flies {
                    self.lanes.insert(lane, VecDeque::new());
                }
            }
            Entry::Vacant(vacant) => {
                vacant.insert(VecDeque::from([job]));
                self.ready.push_back(lane);
            }
        }
    }

    fn run_ready(&mut self) {
        while !self.ready.is_empty() && self.has_slot() {
            if let Some(lane) = self.ready.pop_front() {
                self.advance(lane);
            }
        }
    }

    /// Begins what waits in a lane whose attempt has ended, until one flies or the lane is empty.
    fn advance(&mut self, lane: u64) {
        loop {
            match self.lanes.get(&lane) {
                None => return,
                Some(queue) if queue.is_empty() => {
                    self.lanes.remove(&lane);
                    return;
                }
                Some(_) => {}
            }
            if !self.has_slot() {
                self.ready.push_back(lane);
                return;
            }
            let job = self.lanes.get_mut(&lane).and_then(VecDeque::pop_front);
            if job.is_some_and(|job| self.begin(lane, job) == Begun::Flies) {
                return;
            }
        }
    }

    fn has_slot(&mut self) -> bool {
        if self.slot.is_none() {
            self.slot = Arc::clone(&self.group.slots).try_acquire_owned().ok();
        }
        self.slot.is_some()
    }

    /// Begins an attempt. Needs a slot.
    fn begin(&mut self, lane: u64, job: Job) -> Begun {
        if !job.delivery.place().is_active() {
            self.ended.extend(job.ended(End::Abandoned));
            return Begun::Ended;
        }
        let Work::Handle(index, envelope) = &job.work else {
            return self.fly(lane, job, Stage::Bury);
        };
        let index = *index;
        // With a store there is always something to wait for: the inbox, and the commit.
        if self.group.scope.stored.is_some() || self.manners[index].sent_away() {
            let slot = self.slot.take();
            return self.fly(lane, job, Stage::Begin(slot));
        }
        if self.group.outages.is_probing(index) {
            return self.fly(lane, job, Stage::Begin(None));
        }
        let mut attempt = self.group.attempt(index, &job.delivery, envelope.clone(), 1, None);
        // Nobody needs waking: an attempt that is pending is polled again by its flight.
        let mut cx = TaskContext::from_waker(Waker::noop());
        let poll = catching(|| attempt.as_mut().poll(&mut cx));
        let elapsed = self.lap();
        self.manners[index].see(elapsed);
        if let Poll::Ready(result) = &poll {
            self.group.ended_at_once(index, &job.delivery, result);
        }
        match poll {
            Poll::Ready(Ok(ended)) if ended.events.is_empty() => {
                self.measures.done(index, elapsed);
                self.ended.extend(job.ended(End::Finished));
                Begun::Ended
            }
            Poll::Ready(result) => self.fly(lane, job, Stage::Ended(result, elapsed)),
            Poll::Pending => {
                let slot = self.slot.take();
                self.fly(lane, job, Stage::Running(attempt, slot, elapsed))
            }
        }
    }

    /// The time since the last one: one look at the clock per attempt.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.last_instant, now)
    }

    fn fly(&mut self, lane: u64, job: Job, stage: Stage) -> Begun {
        // Without a sender the consumer is gone, and with it whoever waits for a report.
        if let Some(to_shard) = self.to_self.upgrade() {
            let group = Arc::clone(&self.group);
            let landing = Landing { to_shard, lane, reports: Arc::clone(&self.reports) };
            tokio::spawn(fly(group, job, stage, landing));
        }
        Begun::Flies
    }
}

/// Whether a handler may begin on the shard's own thread, which others wait for.
#[derive(Clone, Copy, Default)]
struct Manners {
    /// How long it has lately kept the thread, as far as that was not forgiven.
    kept: Duration,
    /// How many of its events still get tasks of their own.
    penalty: u32,
}

impl Manners {
    fn sent_away(&mut self) -> bool {
        let away = self.penalty > 0;
        self.penalty = self.penalty.saturating_sub(1);
        away
    }

    /// A first poll took so long. A thread that lost its processor for a moment looks like a
    /// handler that computes; but it happens once in many events, so these make up for it.
    fn see(&mut self, elapsed: Duration) {
        if elapsed <= INLINE_POLL_MAX {
            self.kept = self.kept.saturating_sub(INLINE_FORGIVEN);
            return;
        }
        self.kept += elapsed;
        if self.kept >= INLINE_KEPT_MAX {
            *self = Manners { kept: Duration::ZERO, penalty: INLINE_PENALTY_EVENTS };
        }
    }
}

/// How far an attempt came where it began.
#[derive(PartialEq, Eq)]
enum Begun {
    Ended,
    Flies,
}

/// Tells the shard and the consumer of a flight's end.
struct Landing {
    to_shard: mpsc::UnboundedSender<Told>,
    reports: Arc<dyn Reports>,
    lane: u64,
}

async fn fly(group: Arc<Group>, job: Job, stage: Stage, landing: Landing) {
    let place = Arc::clone(job.delivery.place());
    let end = tokio::select! {
        biased;
        end = flight::pursue(&group, &job, stage) => end,
        () = place.reached(Phase::Cancelled) => End::Abandoned,
    };
    if let Some(report) = job.ended(end) {
        landing.reports.report(&mut vec![report]);
    }
    // The shard is gone only when the runtime is.
    let _ = landing.to_shard.send(Told::LaneFree(landing.lane));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn penalised_after(polls: impl Iterator<Item = u64>) -> Option<usize> {
        let mut manners = Manners::default();
        let mut polls = polls.enumerate();
        let found = polls.find_map(|(n, micros)| {
            manners.see(Duration::from_micros(micros));
            (manners.penalty > 0).then_some(n + 1)
        });
        if found.is_some() {
            let away = (0..INLINE_PENALTY_EVENTS).all(|_| manners.sent_away());
            assert!(away && !manners.sent_away(), "a penalty ends after as many events");
        }
        found
    }

    #[test]
    fn who_computes_is_sent_away_and_whose_thread_was_interrupted_is_not() {
        assert_eq!(penalised_after([30_000].into_iter()), Some(1), "it blocks");
        assert_eq!(penalised_after([2_000].into_iter().cycle()), Some(10), "it computes");
        assert_eq!(penalised_after([900].into_iter().cycle().take(50_000)), None, "it is quick");
        // Four milliseconds for another process, after 500 events of two microseconds each.
        let interrupted = (1..100_000).map(|n| if n % 500 == 0 { 4_000 } else { 2 });
        assert_eq!(penalised_after(interrupted), None);
        let often_slow = (1..100_000).map(|n| if n % 20 == 0 { 4_000 } else { 2 });
        assert!(penalised_after(often_slow).is_some());
    }
}
