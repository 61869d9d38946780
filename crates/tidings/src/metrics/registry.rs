//! Counters, gauges and histograms of one service, and their text for Prometheus (exposition
//! format 0.0.4). Histograms have fixed buckets: a quick handler is recorded by two additions,
//! where a recorder that keeps samples would need memory until somebody asks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::Label;

/// Upper bounds in seconds: OpenTelemetry's for durations, more below for handlers that only
/// compute, and up to a handler's time-out.
pub(crate) const BUCKETS: [f64; 18] = [
    0.000_01, 0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0,
];

/// All measures of one service. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    families: Arc<Mutex<BTreeMap<&'static str, Family>>>,
    /// Labels that every measure of this service carries.
    common: Arc<Vec<(&'static str, String)>>,
}

#[derive(Default)]
struct Family {
    series: BTreeMap<Vec<(&'static str, String)>, Series>,
}

#[derive(Clone)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

/// A number that only grows.
#[derive(Clone)]
pub(crate) struct Counter {
    own: Arc<AtomicU64>,
    facade: metrics::Counter,
}

/// A number that comes and goes, kept as the bits of an `f64`.
#[derive(Clone)]
pub(crate) struct Gauge {
    own: Arc<AtomicU64>,
    facade: metrics::Gauge,
}

/// Durations in seconds.
#[derive(Clone)]
pub(crate) struct Histogram {
    own: Arc<Buckets>,
    facade: metrics::Histogram,
}

#[derive(Default)]
struct Buckets {
    counts: [AtomicU64; BUCKETS.len() + 1],
    /// Nanoseconds, as integers can be added without a loop; enough for 584 years.
    sum_ns: AtomicU64,
}

/// Which bucket a duration falls into; the last one has no bound.
pub(crate) fn bucket_of(seconds: f64) -> usize {
    BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS.len())
}

impl Registry {
    pub(crate) fn new(service: &str) -> Registry {
        Registry {
            families: Arc::default(),
            common: Arc::new(vec![("service", service.to_owned())]),
        }
    }

    pub(crate) fn counter(&self, name: &'static str, labels: &[(&'static str, String)]) -> Counter {
        let series = self.series(name, labels, |labels| {
            let facade = metrics::counter!(name, labels);
            Series::Counter(Counter { own: Arc::default(), facade })
        });
        match series {
            Series::Counter(counter) => counter,
            _ => unreachable!("a name stands for one kind of measure"),
        }
    }

    pub(crate) fn gauge(&self, name: &'static str, labels: &[(&'static str, String)]) -> Gauge {
        let series = self.series(name, labels, |labels| {
            let facade = metrics::gauge!(name, labels);
            Series::Gauge(Gauge { own: Arc::default(), facade })
        });
        match series {
            Series::Gauge(gauge) => gauge,
            _ => unreachable!("a name stands for one kind of measure"),
        }
    }

    pub(crate) fn histogram(
        &self,
        name: &'static str,
        labels: &[(&'static str, String)],
    ) -> Histogram {
        let series = self.series(name, labels, |labels| {
            let facade = metrics::histogram!(name, labels);
            Series::Histogram(Histogram { own: Arc::default(), facade })
        });
        match series {
            Series::Histogram(histogram) => histogram,
            _ => unreachable!("a name stands for one kind of measure"),
        }
    }

    fn series(
        &self,
        name: &'static str,
        labels: &[(&'static str, String)],
        make: impl FnOnce(Vec<Label>) -> Series,
    ) -> Series {
        let mut labels: Vec<_> = self.common.iter().chain(labels).cloned().collect();
        labels.sort();
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let series = &mut families.entry(name).or_default().series;
        if let Some(series) = series.get(&labels) {
            return series.clone();
        }
        let made = make(labels.iter().map(|(n, v)| Label::new(*n, v.clone())).collect());
        series.entry(labels).or_insert(made).clone()
    }

    /// The text for Prometheus.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, family) in &*families {
            let Some(first) = family.series.values().next() else { continue };
            let kind = match first {
                Series::Counter(_) => "counter",
                Series::Gauge(_) => "gauge",
                Series::Histogram(_) => "histogram",
            };
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", help(name));
            for (labels, series) in &family.series {
                render_series(&mut text, name, labels, series);
            }
        }
        text
    }
}

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.own.fetch_add(n, Ordering::Relaxed);
        self.facade.increment(n);
    }
}

impl Gauge {
    pub(crate) fn set(&self, value: f64) {
        self.own.store(value.to_bits(), Ordering::Relaxed);
        self.facade.set(value);
    }

    pub(crate) fn add(&self, change: f64) {
        let add = |bits| Some((f64::from_bits(bits) + change).to_bits());
        let _ = self.own.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        self.facade.increment(change);
    }
}

impl Histogram {
    pub(crate) fn record(&self, seconds: f64) {
        self.own.counts[bucket_of(seconds)].fetch_add(1, Ordering::Relaxed);
        self.own.add_seconds(seconds);
        self.facade.record(seconds);
    }

    /// Many at once. The facade gets their mean, so its sum and count are right.
    pub(crate) fn add(&self, buckets: &[u32; BUCKETS.len() + 1], count: u32, seconds: f64) {
        for (total, n) in self.own.counts.iter().zip(buckets).filter(|(_, n)| **n > 0) {
            total.fetch_add(u64::from(*n), Ordering::Relaxed);
        }
        self.own.add_seconds(seconds);
        self.facade.record_many(seconds / f64::from(count), count as usize);
    }
}

impl Buckets {
    fn add_seconds(&self, seconds: f64) {
        self.sum_ns.fetch_add((seconds * 1e9) as u64, Ordering::Relaxed);
    }
}

fn render_series(
    text: &mut String,
    name: &str,
    labels: &[(&'static str, String)],
    series: &Series,
) {
    let plain = label_text(labels, None);
    let _ = match series {
        Series::Counter(counter) => {
            writeln!(text, "{name}{plain} {}", counter.own.load(Ordering::Relaxed))
        }
        Series::Gauge(gauge) => {
            let value = f64::from_bits(gauge.own.load(Ordering::Relaxed));
            writeln!(text, "{name}{plain} {value}")
        }
        Series::Histogram(histogram) => {
            let mut sum = 0;
            let bounds = BUCKETS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
            for (bound, count) in bounds.zip(&histogram.own.counts) {
                sum += count.load(Ordering::Relaxed);
                let labels = label_text(labels, Some(&bound));
                let _ = writeln!(text, "{name}_bucket{labels} {sum}");
            }
            let seconds = histogram.own.sum_ns.load(Ordering::Relaxed) as f64 / 1e9;
            writeln!(text, "{name}_sum{plain} {seconds}\n{name}_count{plain} {sum}")
        }
    };
}

fn label_text(labels: &[(&'static str, String)], bound: Option<&str>) -> String {
    let mut text = String::from("{");
    let bound = bound.map(|bound| ("le", bound));
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str())).chain(bound);
    for (name, value) in labels {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let comma = if text.len() > 1 { "," } else { "" };
        let _ = write!(text, "{comma}{name}=\"{value}\"");
    }
    text.push('}');
    text
}

fn help(name: &str) -> &'static str {
    match name {
        "tidings_events_published_total" => "Events that handlers returned and the broker has.",
        "tidings_events_handled_total" => "Events that a handler has done or given up.",
        "tidings_events_passed_by_total" => "Events of types that nobody here handles.",
        "tidings_handler_duration_seconds" => "How long attempts took.",
        "tidings_handler_inflight" => "Handlers that run and were not done at their first poll.",
        "tidings_handler_probing" => "1 while what the handler depends on is away.",
        "tidings_handler_outages_total" => "How often what the handler depends on was away.",
        "tidings_handlers_missing" => "Handlers of the group that this instance lacks.",
        "tidings_retries_total" => "Attempts that followed a failed one.",
        "tidings_dead_letters_total" => "Events that were given up.",
        "tidings_publish_failures_total" => "Publications that are tried again.",
        "tidings_consumer_lag_records" => "Records behind the last committed one.",
        "tidings_partition_stopped" => "Partitions that need somebody to act: see the log.",
        "tidings_store_behind_records" => "What a store that was behind Kafka has to catch up.",
        "tidings_build_info" => "The program's version.",
        _ => "See the documentation.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let registry = Registry::new("shop");
        registry.counter("tidings_dead_letters_total", &[("topic", "a\"b\\c\nd".into())]).add(2);
        registry.gauge("tidings_handler_inflight", &[]).add(1.5);
        let durations = registry.histogram("tidings_handler_duration_seconds", &[]);
        durations.record(0.003);
        durations.record(100.0);
        let text = registry.render();
        let lines = [
            "# TYPE tidings_dead_letters_total counter",
            r#"tidings_dead_letters_total{service="shop",topic="a\"b\\c\nd"} 2"#,
            r#"tidings_handler_inflight{service="shop"} 1.5"#,
            r#"tidings_handler_duration_seconds_bucket{service="shop",le="0.0025"} 0"#,
            r#"tidings_handler_duration_seconds_bucket{service="shop",le="0.005"} 1"#,
            r#"tidings_handler_duration_seconds_bucket{service="shop",le="60"} 1"#,
            r#"tidings_handler_duration_seconds_bucket{service="shop",le="+Inf"} 2"#,
            r#"tidings_handler_duration_seconds_count{service="shop"} 2"#,
        ];
        for line in lines {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }
}
