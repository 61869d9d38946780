//! Times in a histogram: what was measured, and what of it stands in the line of JSON.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::Outcome;

/// Up to a minute, three digits: what is above is counted as a minute.
const LONGEST_NS: u64 = 60_000_000_000;

/// Durations in nanoseconds.
pub(crate) struct Spread(Histogram<u64>);

impl Spread {
    pub(crate) fn new() -> Outcome<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST_NS, 3)?))
    }

    pub(crate) fn record(&mut self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(LONGEST_NS);
        self.0.saturating_record(ns.max(1));
    }

    /// Percentiles in microseconds, and every recorded value with its count, so that runs can be
    /// put together.
    pub(crate) fn json(&self) -> Value {
        let us = |ns: u64| ns as f64 / 1000.0;
        let all: Vec<_> = (self.0.iter_recorded())
            .map(|step| json!([us(step.value_iterated_to()), step.count_at_value()]))
            .collect();
        json!({
            "count": self.0.len(),
            "p50_us": us(self.0.value_at_quantile(0.5)),
            "p99_us": us(self.0.value_at_quantile(0.99)),
            "max_us": us(self.0.max()),
            "all": all,
        })
    }
}
