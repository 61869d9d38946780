//! One round: what is due again, then the first rows that nothing holds; published, waited for,
//! deleted. Whatever has no acknowledgement stays in the table.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tidings_store::StoreError;
use tidings_store::backlog::{self, DueRow, HeldScope, WaitingRow};

use super::courier::{Courier, record};
use super::limits::{DUE_MAX_ROWS, HOLD_FIRST, HOLD_MAX, ROUND_MAX_BYTES, ROUND_MAX_ROWS, SETTLE};
use crate::publisher::PublishError;

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
            // A topic may be gone since it was asked for; the client takes seconds to say so.
            rows.iter().for_each(|row| self.topics.forget(&row.topic));
            let rows = self.without_refused_topics(rows).await?;
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

    /// In two waves: the first row of each chain, then what stands behind them. A broker takes any
    /// first sequence number from a producer that it does not know (after a new client, or a day
    /// without records), so a second record under way could be written although the first one is
    /// refused. Once a record of a chain is acknowledged, the broker knows the producer on the
    /// chain's partition, and refuses what comes out of sequence. Found by the model
    /// (`tidings-store`, tests/it/models/outbox.rs).
    async fn publish(&mut self, rows: Vec<WaitingRow>) -> Outcome {
        let mut chains: HashSet<Chain> = HashSet::new();
        let (first, behind) = rows.into_iter().partition(|row| chains.insert(chain(row)));
        let mut outcome = self.publish_at_once(first).await;
        // What is behind a failure is read again, when it is known whose it was.
        if outcome.unsettled.is_empty() {
            let Outcome { acknowledged, unsettled } = self.publish_at_once(behind).await;
            outcome.acknowledged.extend(acknowledged);
            outcome.unsettled = unsettled;
        }
        outcome
    }

    /// The client takes nothing behind a record that it gave up.
    async fn publish_at_once(&mut self, rows: Vec<WaitingRow>) -> Outcome {
        let mut outcome = Outcome::default();
        // Asking for topics may have taken long.
        if !self.may_publish() {
            return outcome;
        }
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
        let mut blocked_topics: HashSet<String> = HashSet::new();
        for row in rows {
            let waits = blocked.contains(&chain(&row)) || blocked_topics.contains(&row.topic);
            if waits || !self.may_publish() {
                continue;
            }
            match self.publish_alone(&row).await {
                Ok(()) => acknowledged.push(row.position),
                // Given up, not refused.
                Err(_) if !self.may_publish() => {}
                Err(error) => {
                    let scope = self.scope_of(&error, &row);
                    self.hold(&row, scope, &error.to_string(), HOLD_FIRST).await?;
                    match scope {
                        HeldScope::Topic => drop(blocked_topics.insert(row.topic)),
                        HeldScope::Key | HeldScope::Row => drop(blocked.insert(chain(&row))),
                    }
                }
            }
        }
        self.look_when_due().await
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
        if !self.may_publish() {
            return Ok(());
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
}

/// Rows without a key are chains of their own.
fn chain(row: &WaitingRow) -> Chain {
    match &row.key {
        Some(key) => (row.topic.clone(), Some(key.clone())),
        None => (format!("{}\u{1f}{}", row.topic, row.position), None),
    }
}
