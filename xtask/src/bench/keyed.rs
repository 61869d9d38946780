//! B13: keyed parallelism. Handlers that wait between 0 and 5 ms, one event of a key at a time,
//! against the ideal schedule of the durations that the handlers themselves measured: no schedule
//! is shorter than the longest key, nor than all work shared evenly. A run in which an event of a
//! key overtook or overlapped another is an error.

use serde_json::json;

use super::figures::{Goal, Turns, grouped, number, table};
use super::side::{Cores, Kind};
use super::{Plan, Section};
use crate::Outcome;

const KEYS: [&str; 3] = ["1", "20", "10000"];
const CONCURRENCY: [&str; 2] = ["16", "100"];

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let events = if plan.quick { "1000" } else { "10000" };
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for kind in [Kind::Process, Kind::Kafka] {
        let side = kind.start(plan, Cores::Any)?;
        for (keys, concurrency) in
            KEYS.iter().flat_map(|keys| CONCURRENCY.map(|concurrency| (*keys, concurrency)))
        {
            let (mut took, mut ideal) = (Turns::default(), Turns::default());
            // With one key a run takes most of a minute, and has nothing that could vary.
            for turn in 0..if keys == "1" { 1 } else { plan.pairs } {
                let words = ["keyed", "--keys", keys, "--concurrency", concurrency];
                let rest = ["--events", events, "--seed", &turn.to_string()];
                let said = side.load(plan, &[&words[..], &rest[..]].concat())?;
                took.0.push(number(&said, "seconds")?);
                ideal.0.push(number(&said, "ideal_seconds")?);
            }
            let ratio = took.to(&ideal);
            rows.push(vec![
                kind.name().to_owned(),
                grouped(keys.parse()?),
                concurrency.to_owned(),
                format!("{:.2} s", ideal.median()),
                format!("{:.2} s", took.median()),
                ratio.to_string(),
                ratio.against(Goal::AtMost(1.05)),
            ]);
            figures.push(json!({
                "broker": kind.name(), "keys": keys, "concurrency": concurrency,
                "seconds": took.median(), "of_ideal": ratio.json(),
            }));
        }
    }
    let head = ["broker", "keys", "handlers at once", "ideal", "took", "took ÷ ideal", "goal"];
    Ok(Section { markdown: table(&head, &rows), figures: json!(figures) })
}
