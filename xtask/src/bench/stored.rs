//! B12 with a store: a service on SQLite beside the loop that somebody would write by hand, both
//! with a sync per transaction; and what batches and savepoints are worth.

use serde_json::json;

use super::figures::{Turns, grouped, number, table};
use super::side::{Cores, Kind, Side};
use super::{Plan, Section};
use crate::{Outcome, tidings};

/// One way to do the work: what it is called, and the words of the load program.
struct Way {
    name: &'static str,
    words: &'static [&'static str],
    /// Alone, an event takes a sync: so few have to do.
    is_slow: bool,
}

const HAND: [&str; 2] = ["--by", "hand"];
const ROW: [&str; 2] = ["--work", "row"];
const ALONE: [&str; 2] = ["--batch", "1"];

/// Each beside the first one of its kind, the loop by hand.
const NOTHING: &[Way] = &[
    way("loop by hand, 500 in a transaction", &[HAND[0], HAND[1]], false),
    way("service", &[], false),
    way("service, `.batch(1)`", &[ALONE[0], ALONE[1]], true),
];
const WRITING: &[Way] = &[
    way("loop by hand, 500 in a transaction", &[HAND[0], HAND[1], ROW[0], ROW[1]], false),
    way("service", &[ROW[0], ROW[1]], false),
    way("service, savepoints on", &[ROW[0], ROW[1], "--fails", "500"], false),
    way("service, `.batch(1)`", &[ROW[0], ROW[1], ALONE[0], ALONE[1]], true),
];

const fn way(name: &'static str, words: &'static [&'static str], is_slow: bool) -> Way {
    Way { name, words, is_slow }
}

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let (many, few) = if plan.quick { ("5000", "200") } else { ("200000", "3000") };
    let side = Kind::Process.start(plan, Cores::Any)?;
    side.load(plan, &["fill", "--events", many])?;
    let (mut markdown, mut figures) = (String::new(), Vec::new());
    for (what, ways) in [("does nothing", NOTHING), ("writes a row", WRITING)] {
        let mut measured: Vec<[Turns; 2]> = ways.iter().map(|_| Default::default()).collect();
        for _pair in 0..plan.pairs {
            for (way, [rates, cpu]) in ways.iter().zip(&mut measured) {
                let said = one(plan, &side, way, if way.is_slow { few } else { many })?;
                rates.0.push(number(&said, "per_second")?);
                cpu.0.push(number(&said, "cpu_us_per_event")?);
            }
        }
        let [by_hand, _] = &measured[0];
        let rows = ways.iter().zip(&measured).map(|(way, [rates, cpu])| {
            let ratio = rates.to(by_hand);
            figures.push(json!({
                "handler": what, "way": way.name, "per_second": rates.median(),
                "to_by_hand": ratio.json(), "cpu_us_per_event": cpu.median(),
            }));
            let goal = match way.name {
                "service" => goal(rates.median()),
                _ => String::new(),
            };
            let cpu = format!("{:.1} µs", cpu.median());
            vec![way.name.to_owned(), grouped(rates.median()), ratio.to_string(), goal, cpu]
        });
        let head = ["", "events/s", "it ÷ by hand", "goal", "processor time per event"];
        let table = table(&head, &rows.collect::<Vec<_>>());
        markdown.push_str(&format!("The handler {what}:\n\n{table}\n"));
    }
    Ok(Section { markdown, figures: json!(figures) })
}

fn one(plan: &Plan, side: &Side, way: &Way, events: &str) -> Outcome<serde_json::Value> {
    let store = tidings::fresh_dir("bench/stored")?.join("service.db").display().to_string();
    let words = ["handle-stored", "--store", &store, "--events", events];
    side.load(plan, &[&words[..], way.words].concat())
}

/// 50,000 events per second with a sync per transaction.
fn goal(per_second: f64) -> String {
    let goal = 50_000.0;
    match per_second >= goal {
        true => "≥ 50,000/s: met".to_owned(),
        false => format!("≥ 50,000/s: missed by {:.0} %", (1.0 - per_second / goal) * 100.0),
    }
}
