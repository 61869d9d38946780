//! Lanes: one event of a (handler, topic, partition, key) at a time and in order, many lanes at
//! once. Lanes are divided among a few shards, each a task that owns its lanes alone.
//!
//! An attempt is polled once where it begins. Most handlers that only compute are done by then
//! and cost no task, no channel and no lane; the others go on in a task of their own
//! ([`flight`]) while their lane collects what follows.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tracing::Instrument as _;

use crate::cloudevents::CloudEvent;
use crate::fail::Fail;
use crate::handler::{Attempt, Context, Scope};
use crate::metrics::Meters;
use crate::stored::Door;

pub(crate) mod attempt;
pub(crate) mod burial;
pub(crate) mod delivery;
mod flight;
mod hash;
pub(crate) mod outage;
pub(crate) mod outlet;
pub(crate) mod pack;
pub(crate) mod place;
pub(crate) mod retry;
pub(crate) mod route;
mod shard;
#[cfg(test)]
mod tests;
pub(crate) mod tries;

use delivery::Delivery;
use hash::{hash, spread};
use outage::Outages;
use outlet::Outlet;
use pack::Packer;
use place::Place;
use retry::Retries;
use route::{Route, Router};

/// What all lanes of one consumer group share.
pub(crate) struct Group {
    /// The consumer group's name.
    pub(crate) name: String,
    pub(crate) scope: Arc<Scope>,
    pub(crate) router: Router,
    pub(crate) retries: Retries,
    pub(crate) outlet: Outlet,
    pub(crate) meters: Meters,
    /// Whether what its handlers depend on is away.
    pub(crate) outages: Outages,
    /// Handlers that may run at the same time, over all groups of the service.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) clock: Clock,
    /// Rung when an event was parked.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) parked: tokio::sync::Notify,
}

/// How the lanes wait for a delayed attempt.
#[derive(Clone)]
pub(crate) enum Clock {
    /// By the runtime's timer.
    Real,
    /// Not at all: the test harness only adds the delays up. A paused runtime would not do, as
    /// connection pools time out in it at once.
    Skipping(Arc<AtomicU64>),
}

impl Clock {
    /// The time since some moment.
    pub(crate) fn now(&self) -> Duration {
        static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Clock::Real => FIRST.elapsed(),
            Clock::Skipping(skipped_ms) => {
                Duration::from_millis(skipped_ms.load(Ordering::Relaxed))
            }
        }
    }

    pub(crate) async fn sleep(&self, delay: Duration) {
        match self {
            Clock::Real => tokio::time::sleep(delay).await,
            Clock::Skipping(skipped_ms) => {
                let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                skipped_ms.fetch_add(ms, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    }
}

/// How a record ended for this instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All its handlers are done or have given it to the dead letters, or nobody takes its type.
    Finished,
    /// It was dropped before that, since its partition was taken away.
    Abandoned,
}

/// What a shard reports of a record, exactly once each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) assignment: u64,
    pub(crate) offset: i64,
    pub(crate) bytes: usize,
    pub(crate) end: End,
}

/// Takes reports; called from the shards' tasks, so it must not block.
pub(crate) trait Reports: Send + Sync + 'static {
    fn report(&self, reports: &mut Vec<Report>);
}

/// The way to the shards. Dropping it lets them end once they are idle.
pub(crate) struct Lanes {
    shards: Vec<ToShard>,
}

/// The way to one shard, and what is packed for it.
struct ToShard {
    sender: mpsc::UnboundedSender<shard::Told>,
    packer: Packer,
}

impl Lanes {
    /// Starts as many shards as the runtime has threads, but never more than handlers may run.
    pub(crate) fn start(
        runtime: &tokio::runtime::Handle,
        group: Arc<Group>,
        reports: Arc<dyn Reports>,
    ) -> Lanes {
        let threads = runtime.metrics().num_workers();
        let count = threads.min(group.slots.available_permits()).clamp(1, 16);
        let shards = (0..count).map(|_| {
            // Unbounded, and yet bounded: the consumer hands out only so many records before it
            // has their reports, and a lane has one attempt under way.
            let (to_shard, inbox) = mpsc::unbounded_channel();
            let shard = shard::Shard::new(Arc::clone(&group), Arc::clone(&reports), &to_shard);
            runtime.spawn(shard.run(inbox));
            ToShard { sender: to_shard, packer: Packer::default() }
        });
        Lanes { shards: shards.collect() }
    }

    /// Where a record belongs: the packer of its lane's shard, and the seed of its lane.
    pub(crate) fn packer(
        &mut self,
        place: &Place,
        key: Option<&[u8]>,
        offset: i64,
    ) -> (&mut Packer, u64) {
        let seed = lane_seed(place, key, offset);
        // The upper half, evenly cut into as many parts as there are shards.
        let shard = ((seed >> 32) * self.shards.len() as u64) >> 32;
        (&mut self.shards[shard as usize].packer, seed)
    }

    /// Hands what is packed to the shards. Returns false if a shard is gone, with the runtime or
    /// by a mistake of ours: nothing can be handled any more then.
    #[must_use]
    pub(crate) fn hand_out(&mut self) -> bool {
        let mut sent = true;
        for ToShard { sender, packer } in &mut self.shards {
            if let Some(pack) = packer.take() {
                sent &= sender.send(shard::Told::Pack(pack)).is_ok();
            }
        }
        sent
    }
}

/// What decides a record's lane, besides the handler: its key, or for null keys its offset, so
/// that they spread. Two keys of one hash share a lane, which costs time and breaks nothing.
fn lane_seed(place: &Place, key: Option<&[u8]>, offset: i64) -> u64 {
    match key {
        Some(key) => hash(place.assignment as u32, key),
        None => spread(place.assignment.rotate_left(32) ^ offset as u64),
    }
}

/// The lane of a record for one of its handlers.
fn lane_of(seed: u64, handler: usize) -> u64 {
    seed ^ (handler as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Index that stands for no handler: a record that is no event has none.
pub(crate) const NO_HANDLER: usize = usize::MAX;

/// One record for one handler.
pub(crate) struct Job {
    pub(crate) delivery: Delivery,
    pub(crate) work: Work,
    /// Counts the record's handlers down; none if it is for one only.
    pub(crate) others: Option<Arc<Others>>,
}

/// What is to be done with it. Handlers are given by their index in the router.
pub(crate) enum Work {
    /// Run this handler. The envelope is there if it had to be read already.
    Handle(usize, Option<Arc<CloudEvent>>),
    /// Nobody can read it: to the dead letters, in this handler's name if it has one.
    Bury(Option<usize>, Arc<Fail>),
}

/// Counts the handlers of one record down.
pub(crate) struct Others {
    left: AtomicUsize,
    abandoned: AtomicBool,
}

impl Job {
    /// The report, if this was the last of the record's handlers.
    ///
    /// A record is finished only if all of them are: while a partition is being given up, one may
    /// be abandoned where it waits for its next attempt and another may still come to its end.
    fn ended(&self, end: End) -> Option<Report> {
        let Some(others) = &self.others else { return Some(Report::of(&self.delivery, end)) };
        if end == End::Abandoned {
            others.abandoned.store(true, Ordering::Release);
        }
        // The last one to count down sees what all others have stored before they did.
        let last = others.left.fetch_sub(1, Ordering::AcqRel) == 1;
        let end = match others.abandoned.load(Ordering::Acquire) {
            true => End::Abandoned,
            false => End::Finished,
        };
        last.then(|| Report::of(&self.delivery, end))
    }
}

impl Report {
    fn of(delivery: &Delivery, end: End) -> Report {
        Report {
            assignment: delivery.place().assignment,
            offset: delivery.offset(),
            bytes: delivery.size(),
            end,
        }
    }
}

/// Handles one record to its end, without lanes: for tests without a broker.
pub(crate) async fn handle(group: &Arc<Group>, delivery: &Delivery) {
    for (_, job) in jobs(group, delivery) {
        let stage = match job.work {
            Work::Handle(..) => attempt::Stage::Begin(None),
            Work::Bury(..) => attempt::Stage::Bury,
        };
        flight::pursue(group, &job, stage).await;
    }
}

/// The jobs of one record, each with the handler's part of its lane; none if it passes by.
pub(crate) fn jobs(group: &Group, delivery: &Delivery) -> Vec<(usize, Job)> {
    let (works, indexes): (Vec<Work>, Vec<usize>) = match group.router.route(delivery) {
        Route::PassBy => return Vec::new(),
        Route::Handle(indexes, envelope) => {
            let work = |&index: &usize| (Work::Handle(index, envelope.clone()), index);
            indexes.iter().map(work).unzip()
        }
        Route::Refuse([], fail) => (vec![Work::Bury(None, Arc::new(fail))], vec![NO_HANDLER]),
        Route::Refuse(indexes, fail) => {
            let fail = Arc::new(fail);
            let work = |&index: &usize| (Work::Bury(Some(index), Arc::clone(&fail)), index);
            indexes.iter().map(work).unzip()
        }
    };
    let others = (works.len() > 1).then(|| {
        Arc::new(Others { left: AtomicUsize::new(works.len()), abandoned: AtomicBool::new(false) })
    });
    let job = |work| Job { delivery: delivery.clone(), work, others: others.clone() };
    indexes.into_iter().zip(works.into_iter().map(job)).collect()
}

impl Group {
    /// Begins an attempt of a handler.
    fn attempt(
        &self,
        index: usize,
        delivery: &Delivery,
        envelope: Option<Arc<CloudEvent>>,
        attempt: u32,
        door: Option<Door>,
    ) -> Attempt {
        let handler = &self.router.handlers[index];
        let cx = Context {
            scope: Arc::clone(&self.scope),
            handler: Arc::clone(handler),
            delivery: delivery.clone(),
            envelope,
            attempt,
            causation: None,
            door,
            held: None,
        };
        // The fields cost more than a quick handler, so only for somebody who looks.
        if !tracing::enabled!(tracing::Level::INFO) {
            return handler.attempts.begin(cx);
        }
        let span = span_of(&self.name, &cx);
        Box::pin(handler.attempts.begin(cx).instrument(span))
    }
}

/// What logs within a handler carry. A span per attempt; its trace is the event's.
fn span_of(group: &str, cx: &Context) -> tracing::Span {
    let span = tracing::info_span!(
        "handle",
        service = &*cx.scope.service,
        group,
        handler = cx.handler.name,
        r#type = cx.handler.wire_type,
        topic = &*cx.delivery.place().topic,
        partition = cx.delivery.place().partition,
        offset = cx.delivery.offset(),
        attempt = cx.attempt,
        key = cx.delivery.key().map(|key| display(String::from_utf8_lossy(key).into_owned())),
        id = tracing::field::Empty,
        correlation = tracing::field::Empty,
        trace_id = tracing::field::Empty,
    );
    match &cx.envelope {
        Some(event) => {
            span.record("id", event.id.as_str());
            span.record("correlation", event.correlation_id());
        }
        None => {
            let text = |name| cx.delivery.header_text(name).unwrap_or_default();
            span.record("id", text("ce_id"));
            // A root's correlation is its own id, and ours say so themselves.
            span.record("correlation", text("ce_correlationid"));
        }
    }
    if let Some(trace) = cx.trace() {
        span.record("trace_id", trace.parent.trace_id());
    }
    span
}
