//! What a relay carries rows with: its leases, and a client that lives no longer than they do.

use std::time::{Duration, Instant};

use tidings_store::backlog::{self, WaitingRow};
use tidings_store::slots::{Holder, Lease};
use tidings_store::{Store, StoreError};
use uuid::Uuid;

use super::limits::{LEASE_MARGIN, RENEW_AGAIN};
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
    pub(super) store: Store,
    pub(super) holder: Holder,
    pub(super) publisher: Publisher,
    pub(super) topics: Topics,
    pub(super) leases: Vec<Lease>,
    /// How long a lease can be relied on.
    usable: Duration,
    /// Nothing is published after this moment unless the leases were renewed.
    until: Instant,
    /// When they are to be renewed while something is under way.
    renew_at: Instant,
    /// When a held row is due, at the earliest.
    pub(super) next_due: Instant,
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

    /// One record, and nothing else under way. After an error there is a new client.
    pub(super) async fn publish_alone(&mut self, row: &WaitingRow) -> Result<(), PublishError> {
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
    pub(super) async fn answer(&mut self, ack: &mut RawAck) -> Result<(), PublishError> {
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
    pub(super) fn new_client(&mut self) {
        match Publisher::gapless(&self.settings, self.link.clone()) {
            Ok(new) => self.publisher = new,
            // The old one takes nothing more, so this is said again by the next record.
            Err(error) => tracing::error!(%error, "the relay has no client"),
        }
    }

    /// Whether something may be published now.
    pub(super) fn may_publish(&self) -> bool {
        !self.leases.is_empty() && Instant::now() < self.until
    }

    pub(super) async fn look_when_due(&mut self) -> Result<(), StoreError> {
        self.next_due = Instant::now() + backlog::next_due_in(&self.store, &self.leases).await?;
        Ok(())
    }
}

/// A row as it goes to the broker: byte for byte.
pub(super) fn record(row: &WaitingRow) -> RawRecord {
    RawRecord {
        topic: row.topic.clone(),
        key: row.key.clone().map(Into::into),
        value: row.payload.clone().map(Into::into),
        headers: row.headers.clone(),
        partition: None,
    }
}
