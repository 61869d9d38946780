//! What a running service counts, under the names of the `tidings_` family.
//!
//! Each measure goes two ways: into the service's own registry, which its HTTP server shows at
//! `/metrics`, and through the `metrics` facade to whatever recorder the program has installed.
//! So `/metrics` is whole whether or not there is one, and the library installs none.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::fail::FailKind;
use crate::handler::Registered;
use crate::service::Stats;

mod registry;

pub(crate) use registry::Gauge;
pub(crate) use registry::Registry;
use registry::{BUCKETS, Counter, Histogram, bucket_of};

/// The measures of one consumer group of a service.
pub(crate) struct Meters {
    registry: Registry,
    stats: Stats,
    group: String,
    handlers: Vec<HandlerMeters>,
    published: Family<(String, String)>,
    dead_letters: Family<(String, Option<usize>, &'static str)>,
    passed_by: Family<String>,
    publish_failures: Counter,
    duplicates: Counter,
}

struct HandlerMeters {
    name: &'static str,
    done: Counter,
    failed: Counter,
    retries: [Counter; 2],
    duration: Histogram,
    inflight: Gauge,
    outage: OutageMeters,
}

/// What is measured of a handler's outages.
#[derive(Clone)]
pub(crate) struct OutageMeters {
    probing: Gauge,
    outages: Counter,
}

/// What one shard has measured since it last said so: plain numbers, as a counter that two
/// threads share costs more than a quick handler.
pub(crate) struct Measures {
    handlers: Vec<Durations>,
}

#[derive(Clone, Copy, Default)]
struct Durations {
    buckets: [u32; BUCKETS.len() + 1],
    count: u32,
    seconds: f64,
}

impl Meters {
    pub(crate) fn new(
        registry: Registry,
        stats: Stats,
        group: &str,
        handlers: &[Arc<Registered>],
    ) -> Meters {
        let handlers = handlers.iter().map(|handler| HandlerMeters::new(&registry, handler));
        Meters {
            handlers: handlers.collect(),
            publish_failures: registry.counter("tidings_publish_failures_total", &[]),
            duplicates: registry.counter("tidings_inbox_duplicates_total", &[]),
            registry,
            stats,
            group: group.to_owned(),
            published: Family::default(),
            dead_letters: Family::default(),
            passed_by: Family::default(),
        }
    }

    /// Records came from the broker.
    pub(crate) fn received(&self, records: u64) {
        self.stats.received(records);
    }

    /// A handler has done its work.
    pub(crate) fn done(&self, index: usize, elapsed: Duration) {
        self.handlers[index].done.add(1);
        self.handlers[index].duration.record(elapsed.as_secs_f64());
        self.stats.handled(1);
    }

    /// The inbox knew the event: the handler was not run, or what it did was rolled back.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        expect(dead_code, reason = "only a store has duplicates")
    )]
    pub(crate) fn duplicate(&self) {
        self.duplicates.add(1);
        self.stats.duplicate(1);
    }

    /// A handler has failed for good.
    pub(crate) fn failed(&self, index: usize, elapsed: Duration) {
        self.handlers[index].failed.add(1);
        self.handlers[index].duration.record(elapsed.as_secs_f64());
    }

    /// What a shard has measured; it begins anew.
    pub(crate) fn add(&self, measures: &mut Measures) {
        for (handler, durations) in self.handlers.iter().zip(&mut measures.handlers) {
            if durations.count == 0 {
                continue;
            }
            handler.done.add(u64::from(durations.count));
            handler.duration.add(&durations.buckets, durations.count, durations.seconds);
            self.stats.handled(u64::from(durations.count));
            *durations = Durations::default();
        }
    }

    /// A handler runs until the returned value is dropped.
    pub(crate) fn inflight(&self, index: usize) -> InFlight<'_> {
        let gauge = &self.handlers[index].inflight;
        gauge.add(1.0);
        InFlight(gauge)
    }

    /// An attempt will follow one that failed.
    pub(crate) fn retried(&self, index: usize, kind: FailKind) {
        self.handlers[index].retries[usize::from(kind == FailKind::Down)].add(1);
        self.stats.retried(1);
    }

    pub(crate) fn outage(&self, index: usize) -> OutageMeters {
        self.handlers[index].outage.clone()
    }

    pub(crate) fn published(&self, ty: &str, topic: &str) {
        let key = (ty.to_owned(), topic.to_owned());
        let labels = || vec![("type", ty.to_owned()), ("topic", topic.to_owned())];
        self.published.add(&self.registry, "tidings_events_published_total", key, labels);
        self.stats.published(1);
    }

    /// The broker took neither an event nor a dead letter; it is tried again.
    pub(crate) fn publish_failed(&self) {
        self.publish_failures.add(1);
    }

    pub(crate) fn dead_lettered(&self, topic: &str, index: Option<usize>, error: &'static str) {
        let handler = index.map_or("", |index| self.handlers[index].name);
        let labels = || {
            vec![
                ("topic", topic.to_owned()),
                ("handler", handler.to_owned()),
                ("error", error.to_owned()),
            ]
        };
        let key = (topic.to_owned(), index, error);
        self.dead_letters.add(&self.registry, "tidings_dead_letters_total", key, labels);
        self.stats.dead_lettered(1);
    }

    /// So many events of a topic are parked, the oldest for so long.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn parked(&self, topic: &str, events: f64, oldest_age_seconds: f64) {
        let labels = [("topic", topic.to_owned())];
        self.registry.gauge("tidings_dlq_depth", &labels).set(events);
        let age = self.registry.gauge("tidings_dlq_oldest_age_seconds", &labels);
        age.set(oldest_age_seconds);
    }

    /// Nobody here takes the record's type.
    pub(crate) fn passed_by(&self, topic: &str) {
        let labels = || vec![("group", self.group.clone()), ("topic", topic.to_owned())];
        let name = "tidings_events_passed_by_total";
        self.passed_by.add(&self.registry, name, topic.to_owned(), labels);
        self.stats.passed_by(1);
    }

    /// A gauge of one partition, such as its lag.
    pub(crate) fn partition_gauge(&self, name: &'static str, topic: &str, partition: i32) -> Gauge {
        self.registry.gauge(
            name,
            &[
                ("group", self.group.clone()),
                ("topic", topic.to_owned()),
                ("partition", partition.to_string()),
            ],
        )
    }

    /// Handlers that the group's commits name and that this instance does not have.
    pub(crate) fn missing_handler(&self, handler: &str) {
        let labels = [("group", self.group.clone()), ("handler", handler.to_owned())];
        self.registry.gauge("tidings_handlers_missing", &labels).set(1.0);
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }
}

impl HandlerMeters {
    fn new(registry: &Registry, handler: &Registered) -> HandlerMeters {
        let name = ("handler", handler.name.to_owned());
        let handled = |outcome: &str| {
            let ty = ("type", handler.wire_type.to_owned());
            let labels = [name.clone(), ty, ("outcome", outcome.to_owned())];
            registry.counter("tidings_events_handled_total", &labels)
        };
        let retries = |reason: &str| {
            let labels = [name.clone(), ("reason", reason.to_owned())];
            registry.counter("tidings_retries_total", &labels)
        };
        let labels = std::slice::from_ref(&name);
        HandlerMeters {
            name: handler.name,
            done: handled("done"),
            failed: handled("dead_lettered"),
            retries: [retries("retry"), retries("down")],
            duration: registry.histogram("tidings_handler_duration_seconds", labels),
            inflight: registry.gauge("tidings_handler_inflight", labels),
            outage: OutageMeters {
                probing: registry.gauge("tidings_handler_probing", labels),
                outages: registry.counter("tidings_handler_outages_total", labels),
            },
        }
    }
}

impl OutageMeters {
    pub(crate) fn began(&self) {
        self.outages.add(1);
        self.probing.set(1.0);
    }

    pub(crate) fn over(&self) {
        self.probing.set(0.0);
    }
}

impl Measures {
    pub(crate) fn new(handlers: usize) -> Measures {
        Measures { handlers: vec![Durations::default(); handlers] }
    }

    /// A handler was done at its first poll.
    pub(crate) fn done(&mut self, index: usize, elapsed: Duration) {
        let durations = &mut self.handlers[index];
        let seconds = elapsed.as_secs_f64();
        durations.buckets[bucket_of(seconds)] += 1;
        durations.count += 1;
        durations.seconds += seconds;
    }
}

/// Counts one running handler.
pub(crate) struct InFlight<'m>(&'m Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.add(-1.0);
    }
}

/// Counters of one name whose labels come as events come. Types and topics are few; what strangers
/// could make many is never a label.
struct Family<K>(RwLock<HashMap<K, Counter>>);

impl<K> Default for Family<K> {
    fn default() -> Self {
        Family(RwLock::default())
    }
}

impl<K: Hash + Eq> Family<K> {
    fn add(
        &self,
        registry: &Registry,
        name: &'static str,
        key: K,
        labels: impl FnOnce() -> Vec<(&'static str, String)>,
    ) {
        if let Some(counter) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            counter.add(1);
            return;
        }
        let mut counters = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry(key).or_insert_with(|| registry.counter(name, &labels()));
        counter.add(1);
    }
}
