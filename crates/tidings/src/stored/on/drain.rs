//! Who drains: parked keys that are due are claimed, and their events handled one after the other,
//! until the key has none left or its first one has to wait again. By every instance, whatever
//! partitions it has, beside the events that come.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_store::parking::drain::{self, Drainer, ParkedEvent};
use tidings_store::parking::{self, Attempts, Failure, Lane};
use tidings_store::{Store, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::case::consumer;
use super::parking::{Copy, letters_of, record_of};
use super::settle::{Head, Settled};
use super::{Companion, StopAsked, Stored};
use crate::cloudevents::Record;
use crate::dead_letter::LetterState;
use crate::fail::{Fail, FailKind};
use crate::lanes::attempt::{Stage, attempt};
use crate::lanes::burial::Why;
use crate::lanes::delivery::Delivery;
use crate::lanes::outage::{Permit, Queue};
use crate::lanes::tries::Tries;
use crate::lanes::{Clock, Group, Job, NO_HANDLER, Work, jobs};
use crate::service::limits::{
    DRAIN_DOWN_DELAY, DRAIN_LEASE, DRAIN_LOOK, DRAIN_MEASURED, DRAINED_LANES_MAX,
    SKIPPED_PROBES_MAX, STOP_DRAIN,
};
use crate::time::Timestamp;

impl Stored {
    /// Drains the parked keys of this group's handlers. An instance with a name of its own does not
    /// wait for the leases of its earlier lives.
    pub(crate) fn drain(&self, group: &Arc<Group>, instance: Option<&str>) -> Companion {
        let drains = Drains::new(self, group, instance);
        Companion::start(|stop| drains.run(stop))
    }

    /// Drains what is due or will be, without waiting: for tests without a broker. While a handler
    /// is probed, each key is tried a few times.
    pub(crate) async fn drain_now(&self, group: &Arc<Group>) -> crate::Result<()> {
        let drains = Drains::new(self, group, None);
        let mut probes = 0;
        loop {
            drains.revive().await?;
            let lanes = drains.claim(&drains.consumers, usize::MAX).await?;
            probes = if group.outages.are_none() { 0 } else { probes + 1 };
            if lanes.is_empty() || probes > SKIPPED_PROBES_MAX {
                for lane in lanes {
                    drains.drainer.release(drains.store(), &lane).await?;
                }
                return Ok(());
            }
            for lane in lanes {
                drains.lane(&lane).await;
            }
        }
    }

    /// Lets everything that waits for a person be tried again: for tests without a broker.
    pub(crate) async fn redrive_now(&self, group: &Arc<Group>) -> crate::Result<()> {
        let drains = Drains::new(self, group, None);
        let consumers = &drains.consumers;
        for lane in drain::waiting_for_people(&self.store, consumers, usize::MAX).await? {
            drains.redrive(&lane).await?;
        }
        self.drain_now(group).await
    }
}

/// What draining needs; clones share all of it.
#[derive(Clone)]
struct Drains {
    stored: Stored,
    group: Arc<Group>,
    drainer: Drainer,
    /// How the names of this instance's earlier lives begin, if it has a name itself.
    earlier: Option<String>,
    consumers: Arc<[String]>,
    stopping: watch::Sender<bool>,
}

/// What is done once, when the store and the broker answer; and what was measured last.
#[derive(Default)]
struct Begun {
    has_taken_over: bool,
    topics_are_there: bool,
    measured: Option<Instant>,
    /// Topics that have shown a depth.
    shown: HashSet<String>,
}

/// What became of the first event of a lane.
enum Turned {
    /// The next one may be looked at.
    GoOn,
    /// It has to wait, or nothing is left.
    Stop,
}

impl Drains {
    fn new(stored: &Stored, group: &Arc<Group>, instance: Option<&str>) -> Drains {
        let all_lives = format!("{}@{}/", instance.unwrap_or_default(), group.name);
        let handlers = 0..group.router.handlers.len();
        let unread = consumer(group, None);
        let consumers = handlers.map(|index| consumer(group, Some(index))).chain([unread]);
        Drains {
            stored: stored.clone(),
            drainer: Drainer::new(format!("{}{}", all_lives, Uuid::now_v7()), DRAIN_LEASE),
            earlier: instance.map(|_| all_lives),
            consumers: consumers.collect(),
            group: Arc::clone(group),
            stopping: watch::Sender::new(false),
        }
    }

    fn store(&self) -> &Store {
        &self.stored.store
    }

    async fn run(self, mut stop: StopAsked) {
        let mut lanes = JoinSet::new();
        tokio::select! {
            () = self.work(&mut lanes) => {}
            () = stop.asked() => {}
        }
        self.stopping.send_replace(true);
        let drained = async { while lanes.join_next().await.is_some() {} };
        // What takes longer is rolled back and tried again by whoever comes next.
        let _ended = tokio::time::timeout(STOP_DRAIN, drained).await;
        lanes.abort_all();
        if let Err(error) = self.drainer.leave(self.store()).await {
            tracing::debug!(group = self.group.name, %error, "leases of parked keys stay");
        }
    }

    /// Looks again and again; ends only by being dropped.
    async fn work(&self, lanes: &mut JoinSet<()>) {
        let (mut renewed, mut begun) = (Instant::now(), Begun::default());
        let mut away = false;
        loop {
            let looked = self.look(lanes, &mut renewed, &mut begun).await;
            let wait = looked.as_ref().copied().unwrap_or(DRAIN_LOOK);
            match looked {
                Ok(_) => away = false,
                Err(error) if !away => {
                    away = true;
                    let group = &self.group.name;
                    tracing::warn!(group, %error, "parked keys wait for the store");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = self.group.parked.notified() => {}
                Some(_) = lanes.join_next() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Renews, claims and starts what is due. Returns the wait until the next look.
    async fn look(
        &self,
        lanes: &mut JoinSet<()>,
        renewed: &mut Instant,
        begun: &mut Begun,
    ) -> Result<Duration, StoreError> {
        if let (Some(earlier), false) = (&self.earlier, begun.has_taken_over) {
            self.drainer.take_over(self.store(), earlier).await?;
            begun.has_taken_over = true;
        }
        if !begun.topics_are_there {
            begun.topics_are_there = self.ensure_topics().await?;
        }
        if begun.measured.is_none_or(|last| last.elapsed() > DRAIN_MEASURED) {
            self.measure(&mut begun.shown).await?;
            begun.measured = Some(Instant::now());
        }
        if !lanes.is_empty() && renewed.elapsed() > DRAIN_LEASE / 3 {
            self.drainer.renew(self.store()).await?;
            *renewed = Instant::now();
        }
        let free = DRAINED_LANES_MAX.saturating_sub(lanes.len());
        self.revive().await?;
        let (well, probed) = self.consumers_now();
        let both = [&well[..], &probed[..]].concat();
        let due_in = drain::next_due_in(self.store(), &both).await?;
        if !due_in.is_zero() || free == 0 {
            return Ok(due_in.clamp(Duration::from_millis(1), DRAIN_LOOK));
        }
        let mut claimed = self.claim(&well, free).await?;
        for consumer in &probed {
            claimed.extend(self.claim(std::slice::from_ref(consumer), 1).await?);
        }
        for lane in claimed {
            let drains = self.clone();
            lanes.spawn(async move { drains.lane(&lane).await });
        }
        // More may be due than could be claimed; whoever ends first wakes us before.
        Ok(DRAIN_LOOK)
    }

    /// How much is parked, by topic: what a person looks at first.
    async fn measure(&self, shown: &mut HashSet<String>) -> Result<(), StoreError> {
        let depths = parking::depths(self.store()).await?;
        shown.extend(depths.iter().map(|depth| depth.topic.clone()));
        for topic in shown.iter() {
            let found = depths.iter().find(|depth| depth.topic == *topic);
            let (events, age_ms) = found.map_or((0, 0), |d| (d.events, d.oldest_age_ms.max(0)));
            self.group.meters.parked(topic, events as f64, age_ms as f64 / 1000.0);
        }
        Ok(())
    }

    /// What was given up just before an outage began waits for no person.
    async fn revive(&self) -> Result<(), StoreError> {
        while let Some((index, lane)) = self.group.outages.take_given_up() {
            if let Err(error) = self.redrive(&lane).await {
                self.group.outages.put_back(index, lane);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn redrive(&self, lane: &Lane) -> Result<(), StoreError> {
        let mut session = self.store().begin().await?;
        drain::redrive(&mut session, lane).await?;
        session.commit().await
    }

    /// Those whose keys may be drained; and apart, since they take one at a time, those whose
    /// handlers are probed and have no key yet that waits for its turn.
    fn consumers_now(&self) -> (Vec<String>, Vec<String>) {
        let (mut well, mut probed) = (Vec::new(), Vec::new());
        let (outages, handlers) = (&self.group.outages, self.group.router.handlers.len());
        for (index, consumer) in self.consumers.iter().enumerate() {
            // The last one is what nobody can read.
            let is_probing = index < handlers && outages.is_probing(index);
            match is_probing {
                false => well.push(consumer.clone()),
                true if outages.has_parked_waiting(index) => {}
                true => probed.push(consumer.clone()),
            }
        }
        (well, probed)
    }

    async fn claim(&self, consumers: &[String], max_lanes: usize) -> Result<Vec<Lane>, StoreError> {
        let horizon = match &self.group.clock {
            Clock::Real => Duration::ZERO,
            Clock::Skipping(_) => Duration::MAX,
        };
        self.drainer.claim(self.store(), consumers, horizon, max_lanes).await
    }

    /// Copies that wait in the outbox for a topic that could not be made when they were written.
    async fn ensure_topics(&self) -> Result<bool, StoreError> {
        let mut all = true;
        for (topic, group) in parking::topics_and_groups(self.store()).await? {
            if group == self.group.name {
                all &= self.group.outlet.ensure(&letters_of(&topic, &group)).await;
            }
        }
        Ok(all)
    }

    /// Handles the events of a lane, the first one first, and gives the lane back.
    async fn lane(&self, lane: &Lane) {
        let drained = async {
            while !*self.stopping.borrow() {
                let Some(event) = drain::head(self.store(), lane).await? else { break };
                if let Turned::Stop = self.first(lane, &event).await? {
                    break;
                }
            }
            self.drainer.release(self.store(), lane).await
        };
        if let Err(error) = drained.await {
            // It stays claimed for the length of a lease, which is the wait before the next try.
            let (consumer, topic) = (&lane.consumer, &lane.topic);
            tracing::error!(consumer, topic, %error, "a parked key cannot be drained now");
        }
    }

    /// One attempt at the first event of a lane.
    async fn first(&self, lane: &Lane, event: &ParkedEvent) -> Result<Turned, StoreError> {
        let group = &self.group;
        let Some(due_in) = event.due_in_ms else { return Ok(Turned::Stop) };
        match &group.clock {
            Clock::Real if due_in > 0 => return Ok(Turned::Stop),
            clock => clock.sleep(Duration::from_millis(due_in.max(0).unsigned_abs())).await,
        }
        let record = record_of(lane, event);
        let delivery = Delivery::of(&record);
        let index = self.consumers.iter().position(|consumer| *consumer == lane.consumer);
        let index = index.filter(|index| *index < group.router.handlers.len());
        let its = |(of, _): &(usize, Job)| *of == index.unwrap_or(NO_HANDLER);
        let (index, job) = match (index, jobs(group, &delivery).into_iter().find(its)) {
            (Some(index), Some((_, job @ Job { work: Work::Handle(..), .. }))) => (index, job),
            (_, Some((_, Job { work: Work::Bury(_, fail), .. }))) => {
                return self.again(lane, event, record, index, &fail).await;
            }
            // Another version of this service had a handler for it.
            _ => {
                let fail = format!("no handler of `{}` takes this record now", lane.consumer);
                return self.again(lane, event, record, index, &Fail::reject(fail)).await;
            }
        };
        let name = group.router.handlers[index].name;
        let done = Copy::over(group, Some(name), lane, event, LetterState::Done);
        let letter = done.map(|copy| copy.record);
        let head = Head { lane, event, letter };
        let Some(permit) = self.permit(index).await else { return Ok(Turned::Stop) };
        let slot = Arc::clone(&group.slots).acquire_owned().await.ok();
        let number = event.attempts + 1;
        let (result, elapsed) =
            attempt(group, &job, index, Stage::Begin(slot), number, Some(head.door())).await;
        permit.ended(&delivery, &result);
        let settled = match result {
            Ok(ended) => self.stored.settle_parked(group, ended, &head).await,
            Err(fail) => Err(fail),
        };
        match settled {
            Ok(Settled::Done) => {
                group.meters.done(index, elapsed);
                Ok(Turned::GoOn)
            }
            Ok(Settled::Elsewhere | Settled::NotNow | Settled::Undone { .. }) => Ok(Turned::GoOn),
            Err(fail) => self.again(lane, event, record, Some(index), &fail).await,
        }
    }

    /// Waits until the handler may begin. `None`: another parked key waits already, or this
    /// instance stops; the key stays due.
    async fn permit(&self, index: usize) -> Option<Permit<'_>> {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            permit = self.group.permit(index, Queue::Parked) => permit,
            _told = stopping.wait_for(|stopping| *stopping) => None,
        }
    }

    /// The event has failed again: when is it tried next, if at all?
    async fn again(
        &self,
        lane: &Lane,
        event: &ParkedEvent,
        record: Record,
        index: Option<usize>,
        fail: &Fail,
    ) -> Result<Turned, StoreError> {
        let group = &self.group;
        let mut tries = Tries::so_far(event.attempts);
        tries.begun += 1;
        let name = index.map(|index| group.router.handlers[index].name);
        let is_away = fail.kind() == FailKind::Down
            || index.is_some_and(|index| group.outages.is_probing(index));
        let due = match tries.after(group, &record.address(), index, fail) {
            Some(_) if is_away => Some(DRAIN_DOWN_DELAY),
            due => due,
        };
        let now = Timestamp::now().as_millis();
        let attempts = Attempts {
            count: tries.told(due),
            first_failed_ms: event.first_failed_ms.unwrap_or(now),
            last_failed_ms: now,
            due_in: due,
        };
        let why = Why::of(fail, name);
        let copy = Copy::of(group, name, record, &event.id, &why, &attempts);
        // While what the handler depends on is away nothing new is to be told, every few seconds.
        let is_news = due.is_none() || !is_away || event.failure.is_none();
        let told = is_news.then_some(&copy);
        if !self.write_failure(lane, event, &why.into(), attempts, told).await? {
            return Ok(Turned::GoOn);
        }
        match (due, index) {
            (Some(_), Some(index)) => group.meters.retried(index, fail.kind()),
            _ => group.meters.dead_lettered(&lane.topic, index, fail.class()),
        }
        if let (None, Some(index), FailKind::Retry) = (due, index, fail.kind()) {
            group.gave_up(index, &Delivery::of(&record_of(lane, event)), lane.clone());
        }
        group.outlet.stored_letter(&copy.record, &copy.letter);
        // It is due later. Without a clock nothing else would say so.
        Ok(if is_away && due.is_some() { Turned::Stop } else { Turned::GoOn })
    }

    /// `false`: somebody else has tried it in the meantime, and nothing was written.
    async fn write_failure(
        &self,
        lane: &Lane,
        event: &ParkedEvent,
        failure: &Failure,
        attempts: Attempts,
        copy: Option<&Copy>,
    ) -> Result<bool, StoreError> {
        if let Some(copy) = copy {
            self.group.outlet.ensure(&copy.record.topic).await;
        }
        let mut session = self.store().begin().await?;
        if !drain::failed(&mut session, lane, event, failure, attempts).await? {
            return Ok(false);
        }
        if let Some(copy) = copy {
            self.stored.outbox.write_letter(&mut session, &copy.record).await?;
        }
        session.commit().await?;
        self.stored.outbox.ring();
        Ok(true)
    }
}
