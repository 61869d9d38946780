//! Growth in length: what appending, reading at the end and finding a place cost as a log grows.

use serde_json::{Value, json};

use super::figures::{Goal, number, table};
use super::proc::{Moment, resident_kib};
use super::side::{Cores, Kind, Side};
use super::{Plan, Section};
use crate::Outcome;

const RECORDS: [u64; 3] = [100_000, 1_000_000, 10_000_000];
const QUICK_RECORDS: [u64; 3] = [10_000, 50_000, 250_000];
/// Small, so that many records are not many bytes.
const VALUE_BYTES: &str = "64";
/// Small, too: a look-up returns a whole batch, and shall cost the same wherever it looks.
const BATCH_BYTES: &str = "16384";
const REQUESTS: u64 = 2000;
const SEEKS: &str = "500";
const TOPIC: &str = "long";

/// What was measured at one length; times are medians in microseconds.
struct At {
    records: u64,
    append: f64,
    tail: f64,
    by_offset: f64,
    by_time: f64,
    /// Of the broker, per request of all kinds.
    cpu: f64,
    anonymous_mb: f64,
}

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let side = Kind::Process.start(plan, Cores::Apart)?;
    side.create(plan, TOPIC, 1)?;
    // Whatever has to become warm becomes warm before the first length is measured.
    at(plan, &side, 0)?;
    let mut all = Vec::new();
    let mut there = 0;
    for records in if plan.quick { QUICK_RECORDS } else { RECORDS } {
        let more = (records - there).to_string();
        let words = ["produce", "--topic", TOPIC, "--size", VALUE_BYTES, "--messages", &more];
        side.load(plan, &[&words[..], &["--batch-bytes", BATCH_BYTES]].concat())?;
        there = records;
        all.push(at(plan, &side, records)?);
    }
    Ok(render(&all))
}

fn at(plan: &Plan, side: &Side, records: u64) -> Outcome<At> {
    let requests = REQUESTS.to_string();
    let words = ["round-trip", "--topic", TOPIC, "--count", &requests, "--size", VALUE_BYTES];
    let before = Moment::of(side.pid)?;
    let said = side.load(plan, &[&words[..], &["--fetch", "--seeks", SEEKS]].concat())?;
    let cpu = Moment::of(side.pid)?.since(before).cpu.as_secs_f64() * 1e6;
    let p50 = |what: &Value| number(what, "p50_us");
    let calls = 2.0 * (REQUESTS as f64 + 200.0) + 2.0 * SEEKS.parse::<f64>()?;
    Ok(At {
        records,
        append: p50(&said["produce"])?,
        tail: p50(&said["fetch"])?,
        by_offset: p50(&said["seek_offset"])?,
        by_time: p50(&said["seek_time"])?,
        cpu: cpu / calls,
        anonymous_mb: resident_kib(side.pid)?.1 as f64 * 1024.0 / 1e6,
    })
}

fn render(all: &[At]) -> Section {
    let first = &all[0];
    let flat = |now: f64, then: f64| format!("{now:.1} µs ({:.2} ×)", now / then);
    let rows: Vec<_> = (all.iter())
        .map(|at| {
            vec![
                super::figures::grouped(at.records as f64),
                flat(at.append, first.append),
                flat(at.tail, first.tail),
                format!("{:.1} µs (+{:.1})", at.by_offset, at.by_offset - first.by_offset),
                flat(at.by_time, first.by_time),
                flat(at.cpu, first.cpu),
                format!("{:.1} MB", at.anonymous_mb),
            ]
        })
        .collect();
    let figures: Vec<_> = (all.iter())
        .map(|at| {
            json!({
                "records": at.records, "append_us": at.append, "tail_us": at.tail,
                "by_offset_us": at.by_offset, "by_time_us": at.by_time, "cpu_us": at.cpu,
                "anonymous_mb": at.anonymous_mb,
            })
        })
        .collect();
    let last = &all[all.len() - 1];
    let worst = (last.append / first.append).max(last.tail / first.tail);
    let goal = Goal::AtMost(1.05).verdict(worst);
    let seek = Goal::AtMost(20.0).verdict(last.by_offset - first.by_offset);
    let head = [
        "records",
        "append",
        "read at the end",
        "find an offset",
        "find a time",
        "CPU per request",
        "memory",
    ];
    let verdict = format!(
        "\nAppend and read at the end, longest to shortest log: {goal}. Further to find an offset, \
         in µs: {seek}.\n"
    );
    Section { markdown: table(&head, &rows) + &verdict, figures: json!(figures) }
}
