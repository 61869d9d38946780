//! Benchmarks beside Apache Kafka: one machine, one run, the same client against both brokers.
//! What it prints is a table in Markdown, as it stands in docs/benchmarks.md.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::Outcome;
use crate::kafka::{self, Kafka};
use crate::load;
use crate::tidings::{self, Broker};

/// Enough for Java's compiler to have seen the hot paths; 1 GiB of values.
const MESSAGES: &str = "1000000";
const VALUE_BYTES: &str = "1024";
/// How the latency is measured: a rate that no broker finds hard.
const LATENCY: [&str; 6] = ["--rate", "1000", "--seconds", "10", "--size", "100"];
/// Each figure is the best of so many runs: the others only show what else the machine did.
const RUNS: usize = 2;

/// What was measured of one broker.
#[derive(Debug, Default)]
struct Measured {
    broker: &'static str,
    produced_per_second: f64,
    consumed_per_second: f64,
    latency: Value,
}

/// `cargo xtask bench`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let (mut shop, mut brokers) = (true, true);
    for word in words {
        match word.as_str() {
            "--shop" => brokers = false,
            "--brokers" => shop = false,
            other => return Err(format!("`bench` does not know {other}").into()),
        }
    }
    let binary = tidings::build(true)?;
    if shop {
        run_shop(&binary)?;
    }
    if brokers {
        compare(&binary)?;
    }
    Ok(())
}

/// The whole sample of the shop as fast as it goes.
fn run_shop(binary: &Path) -> Outcome {
    let started = Instant::now();
    let output = Command::new(binary)
        .args(["dev", "--demo", "shop", "--rate", "max", "--exit", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    let wall = started.elapsed().as_secs_f64();
    let said = load::json(&output.stdout)?;
    if !output.status.success() {
        return Err(format!("the shop ended with {}: {said}", output.status).into());
    }
    let orders = said["orders"]["placed"].as_u64().ok_or("the shop did not count its orders")?;
    let services = said["services"].as_object().ok_or("the shop names no services")?;
    let count = |what: &str| services.values().filter_map(|service| service[what].as_u64()).sum();
    let (published, received): (u64, u64) = (count("published"), count("received"));
    let per_second = published as f64 / wall;
    println!(
        "| orders | events published | events handled | wall time | events published per second |"
    );
    println!("|---|---|---|---|---|");
    println!("| {orders} | {published} | {received} | {wall:.1} s | {per_second:.0} |");
    println!("\n{said}\n");
    Ok(())
}

fn compare(binary: &Path) -> Outcome {
    let load = load::build(true)?;
    let mut rows = Vec::new();
    for (name, durability) in [("embedded, `power`", "power"), ("embedded, `process`", "process")] {
        let dir = tidings::fresh_dir("bench")?;
        let broker = Broker::start(binary, &dir.join("data"), &["--durability", durability])?;
        rows.push(measure(name, binary, &load, broker.bootstrap())?);
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
        fill(binary, &load, &bootstrap, "warm-up")?;
        load::run(&load, &bootstrap, &["consume", "--topic", "warm-up"])?;
        rows.push(measure(name, binary, &load, &bootstrap)?);
        kafka.stop()?;
    }
    table(&rows);
    Ok(())
}

fn measure(broker: &'static str, binary: &Path, load: &Path, bootstrap: &str) -> Outcome<Measured> {
    let mut measured = Measured { broker, ..Default::default() };
    let rate = |said: Value| said["per_second"].as_f64().unwrap_or_default();
    for run in 0..RUNS {
        let topic = format!("bench-{run}");
        let produced = rate(fill(binary, load, bootstrap, &topic)?);
        let consumed = rate(load::run(load, bootstrap, &["consume", "--topic", &topic])?);
        measured.produced_per_second = measured.produced_per_second.max(produced);
        measured.consumed_per_second = measured.consumed_per_second.max(consumed);
    }
    create(binary, bootstrap, "latency")?;
    let words = [&["latency", "--topic", "latency"][..], &LATENCY].concat();
    measured.latency = load::run(load, bootstrap, &words)?;
    eprintln!("{measured:?}");
    Ok(measured)
}

/// One partition with a million messages of 1 KiB.
fn fill(binary: &Path, load: &Path, bootstrap: &str, topic: &str) -> Outcome<Value> {
    create(binary, bootstrap, topic)?;
    let words = ["produce", "--topic", topic, "--messages", MESSAGES, "--size", VALUE_BYTES];
    load::run(load, bootstrap, &words)
}

fn create(binary: &Path, bootstrap: &str, topic: &str) -> Outcome {
    let status = Command::new(binary)
        .args(["topic", "create", topic, "--partitions", "1", "--bootstrap", bootstrap])
        .stdout(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("cannot create {topic}").into()) }
}

/// Figures, and their ratio to the last row: Apache Kafka as most people run it.
fn table(rows: &[Measured]) {
    let Some(base) = rows.last() else { return };
    println!("| broker | produce, messages/s | | consume, messages/s | | p50 | p99 | max |");
    println!("|---|---|---|---|---|---|---|---|");
    for row in rows {
        let produce = row.produced_per_second / base.produced_per_second;
        let consume = row.consumed_per_second / base.consumed_per_second;
        let ms = |name: &str| row.latency[name].as_f64().unwrap_or(f64::NAN);
        let rates = format!(
            "{:.0} | {produce:.1} × | {:.0} | {consume:.1} ×",
            row.produced_per_second, row.consumed_per_second
        );
        let (p50, p99, max) = (ms("p50_ms"), ms("p99_ms"), ms("max_ms"));
        println!("| {} | {rates} | {p50:.2} ms | {p99:.2} ms | {max:.1} ms |", row.broker);
    }
}
