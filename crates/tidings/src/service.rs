//! `Service`: what a user builds in `main`. A name, handlers and what they need; it consumes,
//! runs the handlers, publishes what they return and commits, until it is told to stop.

use std::future::Future;
use std::time::Duration;

use crate::config::Settings;
use crate::handler::{Handler, HandlerArgs, IntoOutcome, Registered, States};
use crate::lanes::retry::Retries;
use crate::stored::Stored;

mod check;
pub(crate) mod health;
pub(crate) mod limits;
mod run;
mod stats;
pub(crate) mod stop;

pub use check::CheckError;
pub use run::ServiceError;
pub use stats::{Snapshot, Stats};

/// A service: publishes and subscribes, and shares nothing else with others.
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use tidings::prelude::*;
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(type = "com.example.order.placed", version = 1, topic = "orders", key = order_id)]
/// struct OrderPlaced { order_id: String, total_cents: i64 }
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(type = "com.example.payment.taken", version = 1, topic = "payments", key = order_id)]
/// struct PaymentTaken { order_id: String }
///
/// async fn charge(order: OrderPlaced) -> Result<PaymentTaken, Fail> {
///     Ok(PaymentTaken { order_id: order.order_id })
/// }
///
/// #[tokio::main]
/// async fn main() -> tidings::Result<()> {
///     Service::new("payments").on("charge", charge).run().await
/// }
/// ```
///
/// # What is promised
///
/// Without a store each event is handled at least once, and within an instance one event of a key
/// at a time, in order. What a handler returns is acknowledged by the broker before the event
/// counts as finished; a re-run publishes the same ids. What cannot be handled becomes a dead
/// letter on `<topic>.<group>.dlq`; nothing is skipped.
///
/// With a store (feature `sqlite` or `postgres`) a handler's effects in it happen once for each
/// event, and the events that it returns are published if and only if those effects are there. What
/// cannot be handled now is parked there, with the later events of its key behind it, in order,
/// until it is handled or a person gives it up; other keys and the offset go on.
///
/// Events are handed out by their type, whichever subscribed topic they come from. A type that
/// nobody here handles passes by and is counted. A record that is no event, one whose data cannot
/// be read and an unknown version of a handled type become dead letters.
pub struct Service {
    pub(crate) name: String,
    pub(crate) source: Option<String>,
    pub(crate) settings: Option<Settings>,
    pub(crate) states: States,
    pub(crate) handlers: Vec<Registered>,
    pub(crate) instance: Option<String>,
    pub(crate) create_topics: bool,
    pub(crate) start: Start,
    pub(crate) concurrency: usize,
    pub(crate) retries: Retries,
    pub(crate) stats: Stats,
    pub(crate) stored: Option<Stored>,
    /// Calls that made no sense, as sentences for `check`.
    misuse: Vec<String>,
}

/// Where a group begins that has no committed offset for a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Beginning,
    End,
}

impl Service {
    /// A service of this name: its consumer group, its source (`/name`), its name in telemetry.
    pub fn new(name: impl Into<String>) -> Service {
        let name = name.into();
        Service {
            stats: Stats::new(),
            name,
            source: None,
            settings: None,
            states: States::default(),
            handlers: Vec::new(),
            instance: None,
            create_topics: false,
            start: Start::Beginning,
            concurrency: limits::CONCURRENCY_DEFAULT,
            retries: Retries::default(),
            stored: None,
            misuse: Vec::new(),
        }
    }

    /// Adds a handler under a name that must stay: offsets, ids of published events, dead letters
    /// and metrics hang on it. Several handlers may take one type, under different names; one's
    /// failure neither holds nor re-runs another.
    ///
    /// The type of its first argument says what it consumes, its return type what it publishes.
    pub fn on<H, Args>(mut self, name: &'static str, handler: H) -> Self
    where
        H: Handler<Args>,
        H::Future: Future<Output: IntoOutcome> + Send + 'static,
        Args: HandlerArgs,
    {
        const { assert!(Args::EXCLUSIVE <= 1, "a handler can have one exclusive argument only") };
        self.handlers.push(Registered::new(name, handler));
        self
    }

    /// Gives the handler added last offsets of its own, under this consumer group: it starts, lags
    /// and is reset apart from the others. Otherwise all handlers share the service's group.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        let group = group.into();
        match self.handlers.last_mut() {
            Some(handler) => handler.group = Some(group),
            None => self.misuse.push(format!(
                "`.group(\"{group}\")` stands before any handler: write it behind the `.on(..)` \
                 that it is for"
            )),
        }
        self
    }

    /// How long one attempt of the handler added last may take (60 s unless set). Then it is
    /// cancelled, which counts as a *retry*.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        match self.handlers.last_mut() {
            Some(handler) => handler.timeout = timeout,
            None => self.misuse.push(
                "`.timeout(..)` stands before any handler: write it behind the `.on(..)` that it \
                 is for"
                    .to_owned(),
            ),
        }
        self
    }

    /// How many events of the handler added last may share a transaction of the store: 500 on
    /// SQLite and 1 on PostgreSQL unless set. They share it with those of other handlers.
    ///
    /// One event's failure undoes the others of its transaction, and their handlers run again: a
    /// handler with effects outside of the store, which would happen twice, can say `.batch(1)`. On
    /// PostgreSQL larger batches cost less per event and hold the locks of all their rows until the
    /// end; handlers then take their turns in one transaction, while without they run side by side.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub fn batch(mut self, events: usize) -> Self {
        match self.handlers.last_mut() {
            Some(_) if events == 0 => self
                .misuse
                .push("`.batch(0)` would never commit: `.batch(1)` is an event alone".to_owned()),
            Some(handler) => handler.batch = Some(events),
            None => self.misuse.push(format!(
                "`.batch({events})` stands before any handler: write it behind the `.on(..)` that \
                 it is for"
            )),
        }
        self
    }

    /// Gives a value to the handlers that take [`State<T>`](crate::State).
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> Self {
        if self.states.insert(state) {
            self.misuse.push(format!(
                "two states of type {}: a handler could not tell them apart; wrap one in a type \
                 of its own",
                std::any::type_name::<T>()
            ));
        }
        self
    }

    /// Handles with this store, a database of the service's own: what a handler writes through its
    /// [`Tx`](crate::Tx), the events that it returns and the mark that the event was handled commit
    /// together, so every effect in the database happens once for each event, whatever dies and
    /// however often the event comes. A relay in this service publishes the events.
    ///
    /// The tables are made, or brought to this library's version, at the start, unless they are
    /// there already ([`Store::migrations`](crate::Store::migrations)). All instances of a service
    /// share one store; no two services do.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub fn store(mut self, store: impl Into<crate::Store>) -> Self {
        let outbox = match self.stored.take() {
            Some(stored) => stored.outbox,
            None => crate::Outbox::new(self.source_uri()),
        };
        self.stored = Some(Stored::new(store.into(), outbox));
        self
    }

    /// The outbox for other code of the same process, an HTTP request say: the relay in this
    /// service hears of what is written. None without a [`store`](Service::store). Its events have
    /// the source that the service has now.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub fn outbox(&self) -> Option<crate::Outbox> {
        self.stored.as_ref().map(|stored| stored.outbox.with_source(self.source_uri()))
    }

    /// The CloudEvents source of what it publishes: a URI reference, `/name` unless set.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Settings from elsewhere than `tidings.toml` and the environment.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// A stable name for this instance, unique in its group (Kafka's `group.instance.id`): after
    /// being killed it resumes at once instead of after the session's time-out. `TIDINGS_INSTANCE`
    /// does the same from outside, and wins.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Creates the topics that are missing at the start, with the broker's defaults. Otherwise
    /// the service refuses to start and names them.
    pub fn create_topics(mut self) -> Self {
        self.create_topics = true;
        self
    }

    /// A new group begins behind the last event instead of at the first one there is.
    pub fn from_end(mut self) -> Self {
        self.start = Start::End;
        self
    }

    /// At most so many handlers run at the same time (64 unless set); those that wait for their
    /// next attempt or for an acknowledgement do not count.
    pub fn concurrency(mut self, lanes: usize) -> Self {
        self.concurrency = lanes.max(1);
        self
    }

    /// How often a failed event is tried before it becomes a dead letter: five times in at most
    /// 30 s unless set.
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// Live counters of this service, for the program that runs it. They outlive the service.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Refuses what the types cannot refuse, without a broker: `run` calls it first, and a test of
    /// one line can.
    ///
    /// # Errors
    /// Names everything that is wrong, one sentence each.
    pub fn check(&self) -> Result<(), CheckError> {
        check::check(self)
    }

    /// Runs until SIGTERM or Ctrl-C; then it takes nothing new, lets running handlers finish (up
    /// to 25 s), commits and leaves the group. A second signal ends the process at once.
    ///
    /// # Errors
    /// What [`check`](Service::check) refuses; missing topics; a broker that cannot be reached at
    /// the start. Once it runs, an unreachable broker is waited for.
    pub async fn run(self) -> crate::Result<()> {
        self.run_until(stop::signal()).await
    }

    /// Runs until the future is done, then stops like [`run`](Service::run).
    ///
    /// Dropping the returned future instead cancels all handlers and commits nothing more: the
    /// events run again, here or elsewhere.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) -> crate::Result<()> {
        run::run(self, stop).await
    }

    pub(crate) fn source_uri(&self) -> String {
        self.source.clone().unwrap_or_else(|| format!("/{}", self.name))
    }

    /// The group of a handler: its own, or the service's.
    pub(crate) fn group_of(&self, handler: &Registered) -> String {
        handler.group.clone().unwrap_or_else(|| self.name.clone())
    }
}
