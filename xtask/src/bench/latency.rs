//! B7: end to end at a steady rate, from the time at which a message was due.

use serde_json::json;

use super::figures::{Goal, Spread, Turns, number, table};
use super::side::{Cores, Kind};
use super::{Plan, Section};
use crate::Outcome;

/// Messages per second, bytes of a value, partitions, the goal for p99 in ms at `process`.
const RATES: [(u32, &str, usize, f64); 2] = [(1_000, "100", 1, 1.0), (10_000, "1024", 8, 1.0)];
/// More turns show nothing new here: every one holds thousands of messages.
const MOST_TURNS: usize = 5;
const SECONDS: &str = "4";
const QUICK_SECONDS: &str = "1";

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let kinds = [Kind::Process, Kind::Power, Kind::Kafka, Kind::KafkaFsync];
    let mut sides = Vec::new();
    for kind in kinds {
        sides.push(kind.start(plan, Cores::Any)?);
    }
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for (rate, size, partitions, goal) in RATES {
        let mut spreads = [const { Spread::new() }; 4];
        let mut p99 = [const { Turns(Vec::new()) }; 4];
        for round in 0..plan.pairs.min(MOST_TURNS) {
            for turn in 0..kinds.len() {
                let at = (round + turn) % kinds.len();
                let (side, topic) = (&sides[at], format!("l-{rate}-{round}"));
                let seconds = if plan.quick { QUICK_SECONDS } else { SECONDS };
                let said = side.with_topic(plan, &topic, partitions, |topic| {
                    let rate = rate.to_string();
                    let words = ["latency", "--topic", topic, "--rate", &rate, "--size", size];
                    side.load(plan, &[&words[..], &["--seconds", seconds]].concat())
                })?;
                spreads[at].add(&said)?;
                p99[at].0.push(number(&said, "p99_us")?);
            }
        }
        for (at, kind) in kinds.into_iter().enumerate() {
            let ms = |share: f64| spreads[at].us(share) / 1000.0;
            let (theirs, goal) = match kind {
                Kind::Process => (2, Goal::AtMost(goal)),
                Kind::Power => (3, Goal::Open),
                _ => (at, Goal::Open),
            };
            let ratio = p99[at].to(&p99[theirs]);
            figures.push(json!({
                "rate": rate, "broker": kind.name(), "spread": spreads[at].json(),
                "p99_to_kafka": ratio.json(),
            }));
            rows.push(vec![
                format!("{rate}/s"),
                kind.name().to_owned(),
                format!("{:.2} ms", ms(0.5)),
                format!("{:.2} ms", ms(0.99)),
                format!("{:.1} ms", ms(1.0)),
                goal.verdict(ms(0.99)),
                if theirs == at { String::new() } else { ratio.to_string() },
            ]);
        }
    }
    let head =
        ["rate", "broker", "p50", "p99", "max", "goal for p99 in ms", "p99 of Apache Kafka's"];
    Ok(Section { markdown: table(&head, &rows), figures: json!(figures) })
}
