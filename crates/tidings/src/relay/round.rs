//! One round: what is due again, then the first rows that nothing holds; published, waited for,
//! deleted. Whatever has no acknowledgement stays in the table.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tidings_store::backlog::{self, DueRow, HeldScope, WaitingRow};
use tidings_store::slots::{Holder, Lease};
use tidings_store::{Store, StoreError};
use uuid::Uuid;

use super::limits::{
    DUE_MAX_ROWS, HOLD_FIRST, HOLD_MAX, LEASE_MARGIN, RENEW_AGAIN, ROUND_MAX_BYTES, ROUND_MAX_ROWS,
    SETTLE,
};
use super::still;
use super::topics::Topics;
use crate::admin::Admin;
use crate::config::Settings;
use crate::link::Link;
use crate::publisher::{PublishError, Publisher, RawAck, RawRecord};

/// Carries rows to the broker, as long as their slots are its own.
pub(super) struct Courier {
    settings: Settings,
    link: Link,
    store: Store,
    holder: Holder,
    publisher: Publisher,
    topics: Topics,
    leases: Vec<Lease>,
    /// How long a lease can be relied on.
    usable: Duration,
    /// Nothing is published after this moment unless the leases were renewed.
    until: Instant,
    /// When they are to be renewed while something is under way.
    renew_at: Instant,
    /// When a held row is due, at the earliest.
    next_due: Instant,
}

/// What belongs together: after one row of it failed, the later ones wait.
type Chain = (String, Option<Vec<u8>>);

/// What became of the rows of a round.
#[derive(Default)]
struct Outcome {
    acknowledged: Vec<i64>,
    /// Not acknowledged, for whatever reason, in order.
    unsettled: Vec<WaitingRow>,
}

impl Courier {
    pub(super) fn new(
        settings: Settings,
        link: Link,
        store: Store,
        name: &str,
        lease: Duration,
    ) -> crate::Result<Courier> {
        let holder = Holder::new(format!("{name}-{}", Uuid::now_v7()), lease);
        let publisher = Publisher::gapless(&settings, link.clone())?;
        let admin = Admin::over(&settings, link.clone())?;
        let topics = Topics::new(admin, settings.create_topics());
        let now = Instant::now();
        let (usable, leases) = (lease - LEASE_MARGIN, Vec::new());
        Ok(Courier {
            settings,
            link,
            store,
            holder,
            publisher,
            topics,
            leases,
            usable,
            until: now,
            renew_at: now,
            next_due: now,
        })
    }

    pub(super) fn holder(&self) -> &Holder {
        &self.holder
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Takes its share of the slots; nothing may be under way.
    pub(super) async fn balance(&mut self) -> Result<(), StoreError> {
        let asked = Instant::now();
        self.leases = self.holder.balance(&self.store).await?;
        self.until = asked + self.usable;
        self.renew_at = asked + self.usable / 3;
        self.next_due = Instant::now() + backlog::next_due_in(&self.store, &self.leases).await?;
        Ok(())
    }

    /// Whether the leases are to be looked at.
    pub(super) fn is_to_balance(&self) -> bool {
        Instant::now() >= self.renew_at
    }

    /// Gives back what it holds; what is under way is given up first, so that nothing of it is
    /// written behind what the next holder writes.
    pub(super) async fn leave(self) -> Result<(), StoreError> {
        let Courier { store, holder, publisher, .. } = self;
        drop(publisher);
        holder.leave(&store).await
    }

    /// Whether there was anything to do.
    pub(super) async fn round(&mut self) -> Result<bool, StoreError> {
        if !self.may_publish() {
            return Ok(false);
        }
        let mut busy = false;
        if Instant::now() >= self.next_due {
            let due = backlog::due(&self.store, &self.leases, DUE_MAX_ROWS).await?;
            busy = !due.is_empty();
            for held in due {
                if self.may_publish() {
                    self.try_again(held).await?;
                }
            }
            self.look_when_due().await?;
        }
        let rows =
            backlog::waiting(&self.store, &self.leases, ROUND_MAX_ROWS, ROUND_MAX_BYTES).await?;
        if rows.is_empty() || !self.may_publish() {
            return Ok(busy);
        }
        self.carry(rows).await?;
        Ok(true)
    }

    async fn carry(&mut self, rows: Vec<WaitingRow>) -> Result<(), StoreError> {
        let rows = self.without_refused_topics(rows).await?;
        let mut outcome = self.publish(rows).await;
        if !outcome.unsettled.is_empty() {
            self.new_client();
            let rows = std::mem::take(&mut outcome.unsettled);
            self.one_by_one(rows, &mut outcome.acknowledged).await?;
        }
        if !outcome.acknowledged.is_empty() {
            let (store, leases) = (&self.store, &self.leases);
            backlog::acknowledged(store, &self.holder, leases, &outcome.acknowledged).await?;
        }
        Ok(())
    }

    /// Holds what goes to topics that are missing or may not be known, once per slot.
    async fn without_refused_topics(
        &mut self,
        rows: Vec<WaitingRow>,
    ) -> Result<Vec<WaitingRow>, StoreError> {
        let refused = self.topics.refused(rows.iter().map(|row| row.topic.as_str())).await;
        if refused.is_empty() {
            return Ok(rows);
        }
        let mut held = HashSet::new();
        for row in &rows {
            let Some(cause) = refused.get(&row.topic) else { continue };
            if held.insert((row.slot, row.topic.as_str())) {
                self.hold(row, HeldScope::Topic, cause, HOLD_FIRST).await?;
            }
        }
        self.look_when_due().await?;
        Ok(rows.into_iter().filter(|row| !refused.contains_key(&row.topic)).collect())
    }

    /// All at once, in order. The client takes and writes nothing behind a record that it gave up.
    async fn publish(&mut self, rows: Vec<WaitingRow>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut under_way = Vec::with_capacity(rows.len());
        let mut blocked: HashSet<Chain> = HashSet::new();
        for row in rows {
            if blocked.contains(&chain(&row)) {
                continue;
            }
            match self.publisher.begin_write(record(&row)).await {
                Ok(ack) => under_way.push((row, ack)),
                Err(_) => {
                    blocked.insert(chain(&row));
                    outcome.unsettled.push(row);
                }
            }
        }
        // A client that failed may keep records without ever saying what became of them.
        let mut settled_by = None;
        for (row, mut ack) in under_way {
            let answer = self.answer(&mut ack);
            let published = match settled_by {
                None => answer.await.is_ok(),
                Some(end) => matches!(tokio::time::timeout_at(end, answer).await, Ok(Ok(()))),
            };
            if published {
                outcome.acknowledged.push(row.position);
                continue;
            }
            settled_by.get_or_insert_with(|| tokio::time::Instant::now() + SETTLE);
            outcome.unsettled.push(row);
        }
        outcome.unsettled.sort_by_key(|row| row.position);
        outcome
    }

    /// After an error: each alone, so that it is known which one is at fault. That one holds its
    /// key; the others go on.
    async fn one_by_one(
        &mut self,
        rows: Vec<WaitingRow>,
        acknowledged: &mut Vec<i64>,
    ) -> Result<(), StoreError> {
        let mut blocked: HashSet<Chain> = HashSet::new();
        for row in rows {
            if blocked.contains(&chain(&row)) || !self.may_publish() {
                continue;
            }
            match self.publish_alone(&row).await {
                Ok(()) => acknowledged.push(row.position),
                // Given up, not refused.
                Err(_) if !self.may_publish() => {}
                Err(error) => {
                    let scope = self.scope_of(&error, &row);
                    self.hold(&row, scope, &error.to_string(), HOLD_FIRST).await?;
                    blocked.insert(chain(&row));
                }
            }
        }
        self.look_when_due().await
    }

    async fn publish_alone(&mut self, row: &WaitingRow) -> Result<(), PublishError> {
        let published = match self.publisher.begin_write(record(row)).await {
            Ok(mut ack) => self.answer(&mut ack).await,
            Err(error) => Err(error),
        };
        if published.is_err() {
            self.new_client();
        }
        published
    }

    /// The broker's answer, however long it takes; meanwhile the leases are renewed.
    async fn answer(&mut self, ack: &mut RawAck) -> Result<(), PublishError> {
        loop {
            if self.leases.is_empty() {
                // The client that it was given to is going, and says so.
                return ack.answer().await;
            }
            tokio::select! {
                biased;
                answer = ack.answer() => return answer,
                () = tokio::time::sleep_until(self.renew_at.into()) => self.keep_leases().await,
            }
        }
    }

    /// Renews them. When one is lost, or all may be, everything under way is given up: it would be
    /// written beside what the slot's next holder writes.
    async fn keep_leases(&mut self) {
        let asked = Instant::now();
        let had = self.leases.len();
        match self.holder.renew(&self.store).await {
            Ok(renewed) => {
                self.leases = still(&self.leases, &renewed);
                self.until = asked + self.usable;
                self.renew_at = asked + self.usable / 3;
            }
            Err(error) => {
                tracing::debug!(%error, "leases could not be renewed");
                self.renew_at = asked + RENEW_AGAIN;
            }
        }
        if self.leases.len() < had || Instant::now() >= self.until {
            self.leases.clear();
            self.renew_at = Instant::now();
            self.new_client();
        }
    }

    /// The old one takes what it has not written with it.
    fn new_client(&mut self) {
        match Publisher::gapless(&self.settings, self.link.clone()) {
            Ok(new) => self.publisher = new,
            // The old one takes nothing more, so this is said again by the next record.
            Err(error) => tracing::error!(%error, "the relay has no client"),
        }
    }

    /// Whether something may be published now.
    fn may_publish(&self) -> bool {
        !self.leases.is_empty() && Instant::now() < self.until
    }

    async fn try_again(&mut self, held: DueRow) -> Result<(), StoreError> {
        let DueRow { row: Some(row), position, attempts } = held else {
            // Somebody has deleted the row: nothing waits behind it any more.
            let (store, leases) = (&self.store, &self.leases);
            return backlog::let_go(store, &self.holder, leases, held.position).await;
        };
        let delay = HOLD_FIRST.saturating_mul(1 << attempts.clamp(0, 10)).min(HOLD_MAX);
        let refused = self.topics.refused(std::iter::once(row.topic.as_str())).await;
        if let Some(cause) = refused.get(&row.topic) {
            return self.hold(&row, HeldScope::Topic, cause, delay).await;
        }
        match self.publish_alone(&row).await {
            Ok(()) => backlog::let_go(&self.store, &self.holder, &self.leases, position).await,
            Err(_) if !self.may_publish() => Ok(()),
            Err(error) => {
                let scope = self.scope_of(&error, &row);
                self.hold(&row, scope, &error.to_string(), delay).await
            }
        }
    }

    async fn hold(
        &self,
        row: &WaitingRow,
        scope: HeldScope,
        cause: &str,
        delay: Duration,
    ) -> Result<(), StoreError> {
        tracing::warn!(
            topic = row.topic,
            position = row.position,
            ?scope,
            cause,
            "an event of the outbox cannot be published: held, what else there is goes on",
        );
        backlog::hold(&self.store, &self.holder, &self.leases, row, scope, cause, delay).await
    }

    /// What waits for the same reason.
    fn scope_of(&mut self, error: &PublishError, row: &WaitingRow) -> HeldScope {
        match error {
            PublishError::UnknownTopic { .. }
            | PublishError::NotAllowed { .. }
            | PublishError::CreateTopic(_) => {
                self.topics.forget(&row.topic);
                HeldScope::Topic
            }
            _ if row.key.is_some() => HeldScope::Key,
            _ => HeldScope::Row,
        }
    }

    async fn look_when_due(&mut self) -> Result<(), StoreError> {
        self.next_due = Instant::now() + backlog::next_due_in(&self.store, &self.leases).await?;
        Ok(())
    }
}

/// Rows without a key are chains of their own.
fn chain(row: &WaitingRow) -> Chain {
    match &row.key {
        Some(key) => (row.topic.clone(), Some(key.clone())),
        None => (format!("{}\u{1f}{}", row.topic, row.position), None),
    }
}

fn record(row: &WaitingRow) -> RawRecord {
    RawRecord {
        topic: row.topic.clone(),
        key: row.key.clone().map(Into::into),
        value: row.payload.clone().map(Into::into),
        headers: row.headers.clone(),
        partition: None,
    }
}
