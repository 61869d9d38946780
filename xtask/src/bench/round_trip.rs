//! B4: one request in flight, by a raw socket: what the broker itself adds to a message's way.

use serde_json::{Map, Value};

use super::figures::{Goal, Spread, Turns, number, table};
use super::side::{Cores, Kind, Side, alone};
use super::{Plan, Section};
use crate::{Outcome, place};

/// An fdatasync may take 4 ms: fewer of those.
const QUICK_REQUESTS: &str = "2000";
const SYNCED_REQUESTS: &str = "300";
/// Bytes of a batch with one record of 256 bytes.
const BATCH_BYTES: &str = "330";

/// One line of the table.
struct Line {
    name: &'static str,
    spread: Spread,
    p50: Turns,
}

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let echo = Side::helper(plan, &["echo"], Cores::Apart)?;
    let kinds = [Kind::Process, Kind::Power, Kind::Kafka, Kind::KafkaFsync];
    let mut brokers = Vec::new();
    for kind in kinds {
        brokers.push(kind.start(plan, Cores::Apart)?);
    }
    let names = ["ping-pong over loopback", "fdatasync after a small append"];
    let names = names.into_iter().chain(kinds.map(Kind::name));
    let mut lines: Vec<Line> =
        names.map(|name| Line { name, spread: Spread::new(), p50: Turns::default() }).collect();
    for round in 0..plan.pairs {
        for turn in 0..lines.len() {
            let at = (round + turn) % lines.len();
            let said = match at {
                0 => echo.load(plan, &["ping-pong", "--count", QUICK_REQUESTS])?,
                1 => synced_append(plan)?,
                _ => one_in_flight(plan, &brokers[at - 2], kinds[at - 2], round)?,
            };
            let line = &mut lines[at];
            line.spread.add(&said["produce"])?;
            line.p50.0.push(number(&said["produce"], "p50_us")?);
        }
    }
    Ok(render(&lines))
}

fn synced_append(plan: &Plan) -> Outcome<Value> {
    let file = place::target().join("xtask/bench/raw-small").display().to_string();
    let words = ["raw-append", "--file", &file, "--count", SYNCED_REQUESTS, "--size", BATCH_BYTES];
    alone(plan, Cores::Apart, &words)
}

fn one_in_flight(plan: &Plan, side: &Side, kind: Kind, round: usize) -> Outcome<Value> {
    let synced = matches!(kind, Kind::Power | Kind::KafkaFsync);
    let count = if synced { SYNCED_REQUESTS } else { QUICK_REQUESTS };
    side.with_topic(plan, &format!("one-{round}"), 1, |topic| {
        side.load(plan, &["round-trip", "--topic", topic, "--count", count])
    })
}

fn render(lines: &[Line]) -> Section {
    let (ping, sync) = (&lines[0], &lines[1]);
    let sync_us = sync.p50.median();
    let mut figures = Map::new();
    let mut rows = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let p50 = line.spread.us(0.5);
        let ratio = line.p50.to(&ping.p50);
        let goal = match at {
            2 => format!(
                "p50 of ping-pong {}; p99 in µs {}",
                ratio.against(Goal::AtMost(8.0)),
                Goal::AtMost(150.0).verdict(line.spread.us(0.99))
            ),
            3 => {
                let over = line.p50.median() - sync_us;
                format!("µs of p50 over fdatasync {}", Goal::AtMost(60.0).verdict(over))
            }
            _ => String::new(),
        };
        figures.insert(line.name.replace('`', ""), line.spread.json());
        rows.push(vec![
            line.name.to_owned(),
            format!("{p50:.1} µs"),
            format!("{:.1} µs", line.spread.us(0.99)),
            ratio.to_string(),
            goal,
        ]);
    }
    let head = ["", "p50", "p99", "p50 of ping-pong", "goal"];
    Section { markdown: table(&head, &rows), figures: figures.into() }
}
