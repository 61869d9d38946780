//! What the library costs beside a bare client that does the same: reading (B12), keyed
//! parallelism (B13) and publishing. One process measures one thing, so that counters of the whole
//! process (processor time, instructions, allocations) are counters of that thing.

use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidings::Event;

use crate::Outcome;

pub(crate) mod fill;
pub(crate) mod handle;
pub(crate) mod keyed;
pub(crate) mod publish;
pub(crate) mod read;
pub(crate) mod stored;

/// An event as services have them: some texts, a number, some 250 bytes of JSON.
#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.order.placed", version = 1, topic = "service", key = order_id)]
pub(crate) struct OrderPlaced {
    order_id: String,
    customer: String,
    total_cents: i64,
    note: String,
}

impl OrderPlaced {
    pub(crate) fn number(n: u64) -> OrderPlaced {
        OrderPlaced {
            order_id: format!("order-{:06}", n % 50_000),
            customer: format!("customer-{:05}", n % 997),
            total_cents: n as i64,
            note: "x".repeat(150),
        }
    }
}

/// As many as the table of other frameworks was measured with.
pub(crate) const PARTITIONS: i32 = 12;

/// A broker that gives nothing for so long has nothing more to give.
const SILENCE: Duration = Duration::from_secs(60);

/// The time and what this process has used of the machine so far.
pub(crate) struct Mark {
    at: Instant,
    usage: Usage,
}

impl Mark {
    pub(crate) fn now() -> Outcome<Mark> {
        Ok(Mark { at: Instant::now(), usage: getrusage(UsageWho::RUSAGE_SELF)? })
    }

    /// What `events` cost since then.
    pub(crate) fn spent(&self, events: u64) -> Outcome<Value> {
        let now = Mark::now()?;
        let seconds = (now.at - self.at).as_secs_f64();
        let micros =
            |usage: &Usage| (usage.user_time() + usage.system_time()).num_microseconds() as f64;
        let switches = |usage: &Usage| {
            usage.voluntary_context_switches() + usage.involuntary_context_switches()
        };
        Ok(json!({
            "events": events,
            "seconds": seconds,
            "per_second": events as f64 / seconds,
            "cpu_us_per_event": (micros(&now.usage) - micros(&self.usage)) / events as f64,
            "switches_per_1000": (switches(&now.usage) - switches(&self.usage)) as f64 * 1000.0
                / events as f64,
        }))
    }
}

/// Runs a future of the library on the threads that it would have in a service.
fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
