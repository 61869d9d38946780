//! The relay: publishes what committed transactions have left in an outbox, in the order of each
//! key, and deletes it when the broker has acknowledged it. Several may run on one store; they
//! share its slots by leases. Behind the features `sqlite` and `postgres`.
//!
//! It goes in rounds: the first rows that nothing holds are read, published and waited for, then
//! deleted. There is no cursor between rounds: a row of a low position may become visible late. An
//! event that cannot be published holds its key, and nothing else, until it is tried again.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidings_store::slots::Lease;
use tidings_store::{LEASE, Store, StoreError, backlog};
use tokio::sync::Notify;

use crate::config::Settings;
use crate::http::{self, Pages};
use crate::link::Link;
use crate::metrics::{Gauge, Registry};
use crate::outbox::Outbox;
use crate::service::health::Phase;
use crate::service::{Stats, stop};
use crate::stored::Beside;

mod courier;
mod limits;
mod round;
mod topics;

use courier::Courier;
use limits::{
    AWAY_FIRST, AWAY_MAX, DEAF_LOOK, IDLE_LOOK, LEASE_MARGIN, SOON_FIRST, SOON_MAX, STOP_DRAIN,
};

/// Publishes an outbox: run one, or one in each instance of the service.
///
/// ```no_run
/// use tidings::{Outbox, Relay, Store};
/// # async fn example() -> tidings::Result<()> {
/// let store = Store::postgres("postgres://orders@db.example/orders").await?;
/// store.migrate().await?;
/// let outbox = Outbox::new("/orders");
/// // Beside the rest of the program, or as a program of its own.
/// let relay = Relay::new("orders", store.clone()).woken_by(&outbox);
/// tokio::spawn(relay.run());
/// # Ok(()) }
/// ```
///
/// **Delivery.** At least once. A relay that dies between an acknowledgement and the deletion has
/// another one publish an unbroken run of each key's events once more; inboxes know them by their
/// ids. One that was stopped for longer than its lease, with requests under way, may write old
/// copies behind newer events when it is woken; it deletes nothing that is no longer its own.
///
/// **Order.** The first copies of a key's events are in the order of their commits. What cannot be
/// published (too large for the topic, refused by the broker) holds its key back, with the cause in
/// the table `tidings_outbox_held`; a missing topic, or one that may not be written, is held whole.
/// It is tried again after a second, then less and less often, at least every minute.
///
/// **Broker away, database away**: it waits, says so once, and goes on.
#[derive(Debug)]
#[must_use = "a relay does nothing until it runs"]
pub struct Relay {
    name: String,
    store: Store,
    settings: Option<Settings>,
    /// Of the outbox in the same process, if there is one.
    bell: Option<Arc<Notify>>,
    lease: Duration,
}

impl Relay {
    /// A relay of the service of this name, which its metrics carry, over the service's store.
    pub fn new(name: impl Into<String>, store: Store) -> Relay {
        Relay { name: name.into(), store, settings: None, bell: None, lease: LEASE }
    }

    /// Settings from elsewhere than `tidings.toml` and the environment.
    pub fn settings(mut self, settings: Settings) -> Relay {
        self.settings = Some(settings);
        self
    }

    /// Looks as soon as this outbox is written into, in the same process. It then looks
    /// twice a second when nobody rings, without this ten times.
    pub fn woken_by(mut self, outbox: &Outbox) -> Relay {
        self.bell = Some(outbox.bell());
        self
    }

    /// How long the leases of its slots last (15 s unless set): for so long the events of a relay
    /// that was killed wait, and for so long it may be stopped without losing them to another one.
    pub fn lease(mut self, lease: Duration) -> Relay {
        self.lease = lease.max(LEASE_MARGIN * 3);
        self
    }

    /// Runs until SIGTERM or Ctrl-C, then waits for what is under way and gives its slots back.
    ///
    /// # Errors
    /// Settings that are wrong; tables that are missing or of another version. A broker or a
    /// database that is away is waited for.
    pub async fn run(self) -> crate::Result<()> {
        self.run_until(stop::signal()).await
    }

    /// Runs until the future is done, then stops like [`run`](Relay::run).
    ///
    /// Dropping the returned future instead leaves what is under way to be published again, and the
    /// slots to whoever comes when the leases have ended.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) -> crate::Result<()> {
        let settings = match &self.settings {
            Some(settings) => settings.clone(),
            None => Settings::from_env()?,
        };
        self.store.require_tables().await?;
        let registry = Registry::new(&self.name);
        let stats = Stats::new();
        let _server = match settings.http() {
            Some(address) => {
                let (registry, stats) = (registry.clone(), stats.clone());
                let pages = Pages { registry, stats, service: self.name.clone() };
                let served = http::serve(address, pages).await;
                Some(served.map_err(crate::ServiceError::from)?)
            }
            None => None,
        };
        let (service, link) = (self.name.clone(), Link::new(&settings));
        let run =
            self.prepare(Beside { service, settings, link, registry, stats: stats.clone() })?;
        stats.health().enter(Phase::Running);
        run.until(async {
            stop.await;
            stats.health().enter(Phase::Stopping);
        })
        .await;
        Ok(())
    }

    /// Connects, beside whatever else shares these parts.
    pub(crate) fn prepare(self, beside: Beside) -> crate::Result<Run> {
        let Beside { service: name, settings, link, registry, stats } = beside;
        let courier = Courier::new(settings, link, self.store, &name, self.lease)?;
        Ok(Run {
            courier,
            idle_look: if self.bell.is_some() { IDLE_LOOK } else { DEAF_LOOK },
            bell: self.bell.unwrap_or_default(),
            stopping: Arc::default(),
            measures: Measures::new(&registry),
            stats,
            name,
            away: None,
        })
    }
}

/// A relay at work.
pub(crate) struct Run {
    courier: Courier,
    bell: Arc<Notify>,
    idle_look: Duration,
    stopping: Arc<AtomicBool>,
    measures: Measures,
    stats: Stats,
    name: String,
    /// How long to wait for a database that is away.
    away: Option<Duration>,
}

impl Run {
    /// Works until the future is done; then waits for what is under way and gives its slots back.
    pub(crate) async fn until(mut self, stop: impl Future<Output = ()> + Send) {
        tracing::info!(service = self.name, relay = self.courier.holder().name(), "relay running");
        {
            let (bell, stopping) = (Arc::clone(&self.bell), Arc::clone(&self.stopping));
            let mut work = pin!(self.work());
            tokio::select! {
                () = &mut work => {}
                () = stop => {
                    stopping.store(true, Ordering::Relaxed);
                    bell.notify_one();
                    // What takes longer is published again by whoever comes next.
                    let _ended = tokio::time::timeout(STOP_DRAIN, work).await;
                }
            }
        }
        self.leave().await;
    }

    /// Until it is told to stop.
    async fn work(&mut self) {
        while !self.stopping.load(Ordering::Relaxed) {
            match self.once().await {
                Ok(()) => self.is_back(),
                Err(error) => self.wait_for(&error).await,
            }
        }
    }

    /// From one look at the leases to the next.
    async fn once(&mut self) -> Result<(), StoreError> {
        self.courier.balance().await?;
        self.measures.take(&self.courier).await?;
        let mut soon = None;
        while !self.courier.is_to_balance() && !self.stopping.load(Ordering::Relaxed) {
            if self.courier.round().await? {
                soon = None;
                continue;
            }
            // After a ring the row may not be visible yet: some more looks, less and less often.
            let wait = soon.unwrap_or(self.idle_look);
            soon = soon.map(|wait| wait * 2).filter(|wait| *wait <= SOON_MAX);
            tokio::select! {
                () = self.bell.notified() => soon = Some(SOON_FIRST),
                () = tokio::time::sleep(wait) => {}
            }
        }
        Ok(())
    }

    fn is_back(&mut self) {
        if self.away.take().is_some() {
            tracing::info!(service = self.name, "the store answers again");
        }
        self.stats.health().set(CHECK, None);
    }

    async fn wait_for(&mut self, error: &StoreError) {
        self.stats.health().set(CHECK, Some(error.to_string()));
        if self.away.is_none() {
            tracing::warn!(service = self.name, %error, "the relay waits for its store");
        }
        let wait = self.away.unwrap_or(AWAY_FIRST);
        self.away = Some((wait * 2).min(AWAY_MAX));
        tokio::time::sleep(wait).await;
    }

    /// What was under way stays in the table and is published again by whoever comes next; that is
    /// at once, since the slots are given back.
    async fn leave(self) {
        if let Err(error) = self.courier.leave().await {
            tracing::warn!(
                service = self.name, %error,
                "the relay cannot give back its slots: others wait until its leases end",
            );
        }
        tracing::info!(service = self.name, "relay stopped");
    }
}

/// The relay's check in `/readyz?verbose`.
const CHECK: &str = "outbox";

/// What tells that something is wrong: the age of the oldest row, first of all.
struct Measures {
    pending: Gauge,
    oldest_age_seconds: Gauge,
    held: Gauge,
}

impl Measures {
    fn new(registry: &Registry) -> Measures {
        Measures {
            pending: registry.gauge("tidings_outbox_pending", &[]),
            oldest_age_seconds: registry.gauge("tidings_outbox_oldest_age_seconds", &[]),
            held: registry.gauge("tidings_outbox_held", &[]),
        }
    }

    async fn take(&self, courier: &Courier) -> Result<(), StoreError> {
        let status = backlog::status(courier.store()).await?;
        self.pending.set(status.pending as f64);
        self.held.set(status.held as f64);
        self.oldest_age_seconds.set(status.oldest_age_ms.unwrap_or(0) as f64 / 1000.0);
        Ok(())
    }
}

/// Those of `leases` that are in `renewed` too, under the same number.
fn still(leases: &[Lease], renewed: &[Lease]) -> Vec<Lease> {
    leases.iter().copied().filter(|lease| renewed.contains(lease)).collect()
}
