//! A service's handlers without a broker: an event in, events and dead letters out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::handled::Handled;
use crate::address::{Offset, PartitionId};
use crate::cloudevents::{CloudEvent, Record};
use crate::events::{Draft, IntoDraft, Ready, Stamp};
use crate::handler::{Registered, Scope, panic};
use crate::lanes::delivery::Delivery;
use crate::lanes::outage::Outages;
use crate::lanes::outlet::{MemoryOutlet, Outlet};
use crate::lanes::route::Router;
use crate::lanes::{Clock, Group, handle};
use crate::metrics::{Meters, Registry};
use crate::publisher::{Catcher, Publisher};
use crate::service::{Service, Snapshot};
use crate::time::Timestamp;

/// A service without a broker: its handlers run as they would, but returned events and dead
/// letters go into lists, and delays between attempts pass at once. What a handler publishes
/// through its `Publisher` argument is caught, too; it stands before what is returned.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
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
///     if order.total_cents < 0 {
///         return Err(Fail::reject("a total below zero"));
///     }
///     Ok(PaymentTaken { order_id: order.order_id })
/// }
///
/// let service = tidings::test::service(Service::new("payments").on("charge", charge)).await;
/// let order = |total_cents| OrderPlaced { order_id: "1042".into(), total_cents };
///
/// let taken = PaymentTaken { order_id: "1042".into() };
/// service.handle(order(4990)).await.expect_published(taken);
/// service.handle(order(-1)).await.expect_dead_letter("a total below zero");
/// # }
/// ```
pub struct Harness {
    groups: Vec<Arc<Group>>,
    outlet: Arc<MemoryOutlet>,
    /// What handlers publish by themselves.
    catcher: Arc<Catcher>,
    skipped_ms: Arc<AtomicU64>,
    offsets: AtomicUsize,
}

/// Takes a service as its `main` would build it.
///
/// # Panics
/// If [`Service::check`] refuses it, or its store cannot be opened.
pub async fn service(service: Service) -> Harness {
    if let Err(error) = service.check() {
        panic!("{error}");
    }
    if let Some(stored) = &service.stored {
        expect_store(stored.open().await);
    }
    panic::install_hook();
    let outlet = Arc::new(MemoryOutlet::default());
    let skipped_ms = Arc::new(AtomicU64::new(0));
    let catcher = Arc::new(Catcher::default());
    let publisher = Publisher::caught(Arc::clone(&catcher), &service.source_uri());
    let groups = groups_of(service, publisher, &outlet, &skipped_ms);
    Harness { groups, outlet, catcher, skipped_ms, offsets: AtomicUsize::new(0) }
}

impl Harness {
    /// Lets all handlers of this event's type handle it, to the end: further attempts included.
    ///
    /// The event gets an id, a source and a time as if another service had published it; a
    /// [`Draft`] sets its own.
    #[must_use = "ask what came of it: `.expect_published(..)`, `.expect_nothing()`"]
    pub async fn handle(&self, event: impl IntoDraft) -> Handled {
        let ready = self.stamp(event.into_draft());
        self.handle_record(self.record_of(&ready)).await
    }

    /// Lets the service handle an event of any origin, as if it lay in this topic.
    #[must_use = "ask what came of it: `.expect_published(..)`, `.expect_nothing()`"]
    pub async fn handle_cloud_event(
        &self,
        event: CloudEvent,
        topic: &str,
        key: Option<&str>,
    ) -> Handled {
        let key = key.map(|key| bytes::Bytes::copy_from_slice(key.as_bytes()));
        let ready = Ready { topic: topic.to_owned().into(), key, event };
        self.handle_record(self.record_of(&ready)).await
    }

    /// Lets the service handle any record, such as one that is no event.
    #[must_use = "ask what came of it: `.expect_published(..)`, `.expect_nothing()`"]
    pub async fn handle_record(&self, record: Record) -> Handled {
        let delivery = Delivery::of(&record);
        self.watch(async |group| {
            handle(group, &delivery).await;
            if let Some(stored) = &group.scope.stored {
                expect_store(stored.drain_now(group).await);
            }
        })
        .await
    }

    /// Lets parked keys that wait for a person be tried again, the first event of each and then
    /// those behind it, as people do when they have mended what was wrong. Without a store nothing
    /// is parked.
    #[must_use = "ask what came of it: `.expect_published(..)`, `.expect_nothing()`"]
    pub async fn redrive(&self) -> Handled {
        self.watch(async |group| {
            if let Some(stored) = &group.scope.stored {
                expect_store(stored.redrive_now(group).await);
            }
        })
        .await
    }

    /// What comes of this, done with each group.
    async fn watch(&self, each: impl AsyncFn(&Arc<Group>)) -> Handled {
        let skipped_before = self.skipped_ms.load(Ordering::Relaxed);
        let before = self.counts();
        for group in &self.groups {
            each(group).await;
        }
        let after = self.counts();
        let skipped = self.skipped_ms.load(Ordering::Relaxed) - skipped_before;
        let mut published = self.catcher.take();
        published.extend(self.outlet.take_published());
        Handled {
            published,
            buried: self.outlet.take_buried(),
            handled: after.handled - before.handled,
            attempts: attempts(&after) - attempts(&before),
            duplicates: after.duplicates - before.duplicates,
            waited: Duration::from_millis(skipped),
            down: self.groups.iter().flat_map(|group| group.outages.failures()).collect(),
        }
    }

    fn counts(&self) -> Snapshot {
        // All groups count into the same statistics.
        self.groups.first().map(|group| group.meters.stats().snapshot()).unwrap_or_default()
    }

    fn stamp(&self, draft: Draft) -> Ready {
        let stamp = Stamp { source: "/test", now: Timestamp::now(), causation: None, trace: None };
        match draft.stamp(&stamp) {
            Ok(ready) => ready,
            Err(error) => panic!("the event for the handler cannot be written: {error}"),
        }
    }

    fn record_of(&self, ready: &Ready) -> Record {
        let offset = self.offsets.fetch_add(1, Ordering::Relaxed);
        Record {
            topic: ready.topic.clone().into_owned(),
            partition: PartitionId(0),
            offset: Offset(offset as i64),
            timestamp_ms: Some(Timestamp::now().as_millis()),
            key: ready.key.clone(),
            value: ready.event.data.clone(),
            headers: ready.event.to_headers(),
        }
    }
}

/// A test cannot go on without its store.
fn expect_store(result: crate::Result<()>) {
    if let Err(error) = result {
        panic!("the service's store: {error}");
    }
}

/// How many attempts there were in all.
fn attempts(counts: &Snapshot) -> u64 {
    counts.handled + counts.retried + counts.dead_lettered
}

fn groups_of(
    mut service: Service,
    publisher: Publisher,
    outlet: &Arc<MemoryOutlet>,
    skipped_ms: &Arc<AtomicU64>,
) -> Vec<Arc<Group>> {
    let mut handlers: BTreeMap<String, Vec<Arc<Registered>>> = BTreeMap::new();
    for handler in std::mem::take(&mut service.handlers) {
        let group = service.group_of(&handler);
        handlers.entry(group).or_default().push(Arc::new(handler));
    }
    let scope = Arc::new(Scope {
        service: service.name.as_str().into(),
        source: service.source_uri().into(),
        states: std::mem::take(&mut service.states),
        publisher,
        stored: service.stored.take(),
    });
    let registry = Registry::new(&service.name);
    let slots = Arc::new(Semaphore::new(service.concurrency));
    let groups = handlers.into_iter().map(|(name, handlers)| {
        let meters = Meters::new(registry.clone(), service.stats(), &name, &handlers);
        Arc::new(Group {
            outages: Outages::new(&name, &handlers, &meters),
            meters,
            scope: Arc::clone(&scope),
            router: Router::new(handlers),
            retries: service.retries,
            outlet: Outlet::Memory(Arc::clone(outlet)),
            slots: Arc::clone(&slots),
            clock: Clock::Skipping(Arc::clone(skipped_ms)),
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            parked: Default::default(),
            name,
        })
    });
    groups.collect()
}

impl std::fmt::Debug for Harness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let groups: Vec<_> = self.groups.iter().map(|group| &group.name).collect();
        f.debug_struct("Harness").field("groups", &groups).finish_non_exhaustive()
    }
}
