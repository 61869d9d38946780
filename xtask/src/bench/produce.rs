//! B1 and B2: produce, from the page cache beside Apache Kafka and the null broker, and with the
//! disk's word beside Apache Kafka with an fsync per message set and a raw loop.

use serde_json::{Value, json};

use super::figures::{Goal, Ratio, Turns, grouped, number, table};
use super::side::{Cores, Kind, Side, alone};
use super::{Plan, Section};
use crate::{Outcome, place};

/// What one batch of the raw loop holds: as much as a request of the client.
const GATHERED_BYTES: usize = 1_000_000;

/// One line of the table.
struct Shape {
    size: usize,
    partitions: usize,
    /// At 0.2 to 0.5 s a turn, and never more than fits into memory beside all else.
    messages: usize,
    cores: Cores,
    kafka_goal: Goal,
}

const fn shape(size: usize, partitions: usize, messages: usize, kafka_goal: Goal) -> Shape {
    Shape { size, partitions, messages, cores: Cores::Apart, kafka_goal }
}

const TWICE: Goal = Goal::AtLeast(2.0);
const B1: &[Shape] = &[
    shape(1024, 1, 300_000, TWICE),
    shape(1024, 12, 300_000, Goal::Open),
    shape(256, 1, 1_000_000, Goal::Open),
    shape(256, 12, 1_000_000, TWICE),
    shape(100, 1, 1_500_000, Goal::Open),
    shape(100, 12, 1_500_000, Goal::Open),
];
const B1_ANY: &[Shape] = &[
    Shape { cores: Cores::Any, ..shape(1024, 1, 300_000, Goal::Open) },
    Shape { cores: Cores::Any, ..shape(256, 12, 1_000_000, Goal::Open) },
];
const B2: &[Shape] = &[
    shape(1024, 1, 200_000, TWICE),
    shape(256, 1, 600_000, TWICE),
    shape(256, 12, 600_000, TWICE),
];

/// What one shape has shown: messages per second of each side.
struct Measured<'a> {
    shape: &'a Shape,
    ours: Turns,
    kafka: Turns,
    limit: Turns,
}

pub(super) fn process(plan: &Plan) -> Outcome<Section> {
    let mut all = Vec::new();
    for (cores, shapes) in [(Cores::Apart, B1), (Cores::Any, B1_ANY)] {
        let ours = Kind::Process.start(plan, cores)?;
        let null = Kind::Null.start(plan, cores)?;
        let kafka = Kind::Kafka.start(plan, cores)?;
        for shape in shapes {
            all.push(measure(plan, shape, &ours, &kafka, |plan, shape| {
                produced(plan, shape, &null, &format!("null-{}", shape.partitions))
            })?);
        }
    }
    let (table, figures) = render(&all, "of the null broker", Goal::AtLeast(0.8));
    Ok(Section { markdown: table, figures })
}

pub(super) fn power(plan: &Plan) -> Outcome<Section> {
    let mut all = Vec::new();
    let ours = Kind::Power.start(plan, Cores::Apart)?;
    let kafka = Kind::KafkaFsync.start(plan, Cores::Apart)?;
    for shape in B2 {
        all.push(measure(plan, shape, &ours, &kafka, raw)?);
    }
    let (table, figures) = render(&all, "of the raw loop", Goal::AtLeast(0.85));
    Ok(Section { markdown: table, figures })
}

/// All sides take their turns; who begins changes with every round.
fn measure<'a>(
    plan: &Plan,
    shape: &'a Shape,
    ours: &Side,
    kafka: &Side,
    limit: impl Fn(&Plan, &Shape) -> Outcome<f64>,
) -> Outcome<Measured<'a>> {
    let (mut a, mut b, mut c) = (Turns::default(), Turns::default(), Turns::default());
    for round in 0..plan.pairs {
        for turn in 0..3 {
            match (round + turn) % 3 {
                0 => a.0.push(turn_of(plan, shape, ours, round)?),
                1 => b.0.push(turn_of(plan, shape, kafka, round)?),
                _ => c.0.push(limit(plan, shape)?),
            }
        }
    }
    let (size, partitions) = (shape.size, shape.partitions);
    let rates = (grouped(a.median()), grouped(b.median()), grouped(c.median()));
    eprintln!("      {size} B × {partitions}: ours, Kafka, limit {rates:?}");
    Ok(Measured { shape, ours: a, kafka: b, limit: c })
}

fn turn_of(plan: &Plan, shape: &Shape, side: &Side, round: usize) -> Outcome<f64> {
    let topic = format!("b-{}-{}-{round}", shape.size, shape.partitions);
    side.with_topic(plan, &topic, shape.partitions, |topic| produced(plan, shape, side, topic))
}

/// The raw loop's bytes as messages.
fn raw(plan: &Plan, shape: &Shape) -> Outcome<f64> {
    let file = place::target().join("xtask/bench/raw").display().to_string();
    let count = (messages(plan, shape) * shape.size / GATHERED_BYTES).max(1).to_string();
    let size = GATHERED_BYTES.to_string();
    let words = ["raw-append", "--file", &file, "--count", &count, "--size", &size];
    let said = alone(plan, shape.cores, &words)?;
    Ok(number(&said, "bytes_per_second")? / shape.size as f64)
}

fn messages(plan: &Plan, shape: &Shape) -> usize {
    if plan.quick { shape.messages / 20 } else { shape.messages }
}

fn produced(plan: &Plan, shape: &Shape, side: &Side, topic: &str) -> Outcome<f64> {
    let (size, messages) = (shape.size.to_string(), messages(plan, shape).to_string());
    let words = ["produce", "--topic", topic, "--size", &size, "--messages", &messages];
    number(&side.load(plan, &words)?, "per_second")
}

fn render(all: &[Measured<'_>], limit: &str, limit_goal: Goal) -> (String, Value) {
    let mut figures = Vec::new();
    let rows: Vec<_> = (all.iter())
        .map(|one| {
            let to_kafka: Ratio = one.ours.to(&one.kafka);
            let to_limit: Ratio = one.ours.to(&one.limit);
            let cores = if one.shape.cores == Cores::Apart { "one each" } else { "shared" };
            let limit_goal = if cores == "one each" { limit_goal } else { Goal::Open };
            figures.push(json!({
                "size": one.shape.size, "partitions": one.shape.partitions, "cores": cores,
                "per_second": one.ours.median(), "kafka_per_second": one.kafka.median(),
                "limit_per_second": one.limit.median(),
                "to_kafka": to_kafka.json(), "to_limit": to_limit.json(),
            }));
            vec![
                format!("{} B", one.shape.size),
                one.shape.partitions.to_string(),
                cores.to_owned(),
                grouped(one.ours.median()),
                to_kafka.to_string(),
                to_kafka.against(one.shape.kafka_goal),
                to_limit.to_string(),
                to_limit.against(limit_goal),
            ]
        })
        .collect();
    let head = ["value", "partitions", "cores", "ours", "of Apache Kafka", "goal", limit, "goal"];
    (table(&head, &rows), json!(figures))
}
