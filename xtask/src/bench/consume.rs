//! B5: consume from the page cache, beside Apache Kafka and a plain sender of the same bytes.

use serde_json::json;

use super::figures::{Goal, Turns, grouped, number, table};
use super::side::{Cores, Kind, Side};
use super::{Plan, Section};
use crate::Outcome;

/// Value size, partitions, messages.
const SHAPES: [(usize, usize, usize); 4] =
    [(1024, 1, 400_000), (1024, 12, 400_000), (256, 1, 1_200_000), (256, 12, 1_200_000)];

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let ours = Kind::Process.start(plan, Cores::Apart)?;
    let kafka = Kind::Kafka.start(plan, Cores::Apart)?;
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for (size, partitions, messages) in SHAPES {
        let messages = if plan.quick { messages / 20 } else { messages };
        let topic = format!("c-{size}-{partitions}");
        let [mut a, mut b, mut c] = [const { Turns(Vec::new()) }; 3];
        fill(plan, &kafka, &topic, size, partitions, messages)?;
        fill(plan, &ours, &topic, size, partitions, messages)?;
        let words = ["plain-sender", "--topic", &topic, "--bootstrap", &ours.bootstrap];
        let plain = Side::helper(plan, &words, Cores::Apart)?;
        for round in 0..plan.pairs {
            for turn in 0..3 {
                let (side, turns) = match (round + turn) % 3 {
                    0 => (&ours, &mut a),
                    1 => (&kafka, &mut b),
                    _ => (&plain, &mut c),
                };
                let said = side.load(plan, &["consume", "--topic", &topic])?;
                turns.0.push(number(&said, "per_second")?);
            }
        }
        let rates = (grouped(a.median()), grouped(b.median()), grouped(c.median()));
        eprintln!("      {size} B × {partitions}: ours, Kafka, plain sender {rates:?}");
        let (to_kafka, to_plain) = (a.to(&b), a.to(&c));
        figures.push(json!({
            "size": size, "partitions": partitions, "per_second": a.median(),
            "to_kafka": to_kafka.json(), "to_plain_sender": to_plain.json(),
        }));
        rows.push(vec![
            format!("{size} B"),
            partitions.to_string(),
            grouped(a.median()),
            to_kafka.to_string(),
            to_kafka.against(Goal::AtLeast(1.0)),
            to_plain.to_string(),
            to_plain.against(Goal::AtLeast(0.85)),
        ]);
    }
    let head =
        ["value", "partitions", "ours", "of Apache Kafka", "goal", "of the plain sender", "goal"];
    Ok(Section { markdown: table(&head, &rows), figures: json!(figures) })
}

fn fill(
    plan: &Plan,
    side: &Side,
    topic: &str,
    size: usize,
    partitions: usize,
    messages: usize,
) -> Outcome {
    side.create(plan, topic, partitions)?;
    let (size, messages) = (size.to_string(), messages.to_string());
    let words = ["produce", "--topic", topic, "--size", &size, "--messages", &messages];
    side.load(plan, &words)?;
    // Once to warm up: pages, and what Java compiles of this path.
    side.load(plan, &["consume", "--topic", topic]).map(drop)
}
