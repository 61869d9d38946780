//! Brokers, by the same client: the embedded one, and Apache Kafka, with and without fsync.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Plan, Section};
use crate::Outcome;
use crate::kafka::{self, Kafka};
use crate::load;
use crate::tidings::{self, Broker};

/// Enough for Java's compiler to have seen the hot paths; 1 GiB of values.
const MESSAGES: &str = "1000000";
const QUICK_MESSAGES: &str = "100000";
const VALUE_BYTES: &str = "1024";
/// How the latency is measured: a rate that no broker finds hard.
const LATENCY: [&str; 6] = ["--rate", "1000", "--seconds", "10", "--size", "100"];

/// What was measured of one broker.
#[derive(Debug, Default)]
struct Measured {
    broker: &'static str,
    produced_per_second: f64,
    consumed_per_second: f64,
    latency: Value,
}

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let mut rows = Vec::new();
    for (name, durability) in [("embedded, `power`", "power"), ("embedded, `process`", "process")] {
        let dir = tidings::fresh_dir("bench")?;
        let broker =
            Broker::start(&plan.tidings, &dir.join("data"), &["--durability", durability])?;
        rows.push(measure(plan, name, broker.bootstrap())?);
        broker.stop()?;
        std::fs::remove_dir_all(dir)?;
    }
    for (name, settings) in [
        ("Apache Kafka 4.3.1, fsync per message set", vec!["log.flush.interval.messages=1"]),
        ("Apache Kafka 4.3.1, page cache", vec![]),
    ] {
        let settings = settings.into_iter().map(str::to_owned).collect();
        let mut kafka = Kafka::start(&kafka::Options { settings, ..Default::default() })?;
        let bootstrap = kafka.bootstrap();
        // Java compiles while it runs: what it does cold is not what it does.
        fill(plan, &bootstrap, "warm-up")?;
        load::run(&plan.load, &bootstrap, &["consume", "--topic", "warm-up"])?;
        rows.push(measure(plan, name, &bootstrap)?);
        kafka.stop()?;
    }
    let latencies: Vec<_> = rows.iter().map(|row| json!([row.broker, row.latency])).collect();
    Ok(Section { markdown: table(&rows), figures: json!(latencies) })
}

fn measure(plan: &Plan, broker: &'static str, bootstrap: &str) -> Outcome<Measured> {
    let mut measured = Measured { broker, ..Default::default() };
    let rate = |said: Value| said["per_second"].as_f64().unwrap_or_default();
    for run in 0..plan.pairs {
        let topic = format!("bench-{run}");
        let produced = rate(fill(plan, bootstrap, &topic)?);
        let consumed = rate(load::run(&plan.load, bootstrap, &["consume", "--topic", &topic])?);
        measured.produced_per_second = measured.produced_per_second.max(produced);
        measured.consumed_per_second = measured.consumed_per_second.max(consumed);
    }
    create(&plan.tidings, bootstrap, "latency")?;
    let words = [&["latency", "--topic", "latency"][..], &LATENCY].concat();
    measured.latency = load::run(&plan.load, bootstrap, &words)?;
    eprintln!("{measured:?}");
    Ok(measured)
}

/// One partition with a million messages of 1 KiB.
fn fill(plan: &Plan, bootstrap: &str, topic: &str) -> Outcome<Value> {
    create(&plan.tidings, bootstrap, topic)?;
    let messages = if plan.quick { QUICK_MESSAGES } else { MESSAGES };
    let words = ["produce", "--topic", topic, "--messages", messages, "--size", VALUE_BYTES];
    load::run(&plan.load, bootstrap, &words)
}

fn create(binary: &Path, bootstrap: &str, topic: &str) -> Outcome {
    let status = Command::new(binary)
        .args(["topic", "create", topic, "--partitions", "1", "--bootstrap", bootstrap])
        .stdout(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("cannot create {topic}").into()) }
}

/// Figures, and their ratio to the last row: Apache Kafka as most people run it.
fn table(rows: &[Measured]) -> String {
    let Some(base) = rows.last() else { return String::new() };
    let mut text = "| broker | produce, messages/s | | consume, messages/s | | p50 | p99 | max |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        let produce = row.produced_per_second / base.produced_per_second;
        let consume = row.consumed_per_second / base.consumed_per_second;
        let ms = |name: &str| row.latency[name].as_f64().unwrap_or(f64::NAN);
        let rates = format!(
            "{:.0} | {produce:.1} × | {:.0} | {consume:.1} ×",
            row.produced_per_second, row.consumed_per_second
        );
        let (p50, p99, max) = (ms("p50_ms"), ms("p99_ms"), ms("max_ms"));
        let times = format!("{p50:.2} ms | {p99:.2} ms | {max:.1} ms");
        text.push_str(&format!("| {} | {rates} | {times} |\n", row.broker));
    }
    text
}
