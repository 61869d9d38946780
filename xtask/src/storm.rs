//! Rebalance storms: starts a broker for each way in which partitions can move, and lets the fault
//! tools' members join, leave and die on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kafka::{self, Kafka};
use crate::tidings::{self, Broker};
use crate::{Outcome, place};

const PROTOCOLS: [&str; 3] = ["eager", "cooperative", "static"];
/// Members are missed two seconds after their death, which Apache Kafka forbids unless told.
const KAFKA_SETTINGS: [&str; 1] = ["group.min.session.timeout.ms=1000"];

/// What was asked for.
#[derive(Debug)]
struct Plan {
    kafka: bool,
    release: bool,
    seconds: u64,
    seed: u64,
    protocols: Vec<String>,
}

/// `cargo xtask storm`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let plan = parse(words)?;
    let faults = build()?;
    let dir = tidings::fresh_dir(if plan.kafka { "storm-kafka" } else { "storm" })?;
    let mut failed = Vec::new();
    for protocol in &plan.protocols {
        let dir = dir.join(protocol);
        let stormed = if plan.kafka {
            let settings = KAFKA_SETTINGS.map(str::to_owned).to_vec();
            let mut kafka =
                Kafka::start(&kafka::Options { heap_mb: 512, settings, ..Default::default() })?;
            println!("on Apache Kafka:");
            let stormed = storm(&faults, &plan, protocol, &kafka.bootstrap(), &dir);
            kafka.stop()?;
            stormed
        } else {
            let binary = tidings::build(plan.release)?;
            let broker = Broker::start(&binary, &dir.join("broker"), &[])?;
            println!("on `tidings broker --data`:");
            let stormed = storm(&faults, &plan, protocol, broker.bootstrap(), &dir);
            broker.stop()?;
            stormed
        };
        let kafka = if plan.kafka { " --kafka" } else { "" };
        let Plan { seconds, seed, .. } = plan;
        let again = format!("{protocol}{kafka} --seconds {seconds} --seed {seed}");
        println!("  again: cargo xtask storm --protocol {again}\n");
        if let Err(error) = stormed {
            failed.push(format!("{protocol}: {error}"));
        }
    }
    if failed.is_empty() {
        std::fs::remove_dir_all(&dir)?;
        return Ok(());
    }
    Err(format!("{}; histories kept in {}", failed.join("; "), dir.display()).into())
}

fn storm(faults: &Path, plan: &Plan, protocol: &str, bootstrap: &str, dir: &Path) -> Outcome {
    let status = Command::new(faults)
        .args(["storm", "--bootstrap", bootstrap, "--protocol", protocol])
        .args(["--seconds", &plan.seconds.to_string(), "--seed", &plan.seed.to_string()])
        .arg("--dir")
        .arg(dir.join("histories"))
        .status()?;
    if status.success() { Ok(()) } else { Err("a rule was broken, or no storm came up".into()) }
}

/// The fault tools, without optimisation: what is watched is who does what, not how fast.
fn build() -> Outcome<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(place::root()).args(["build", "--package", "faults"]);
    if !cargo.status()?.success() {
        return Err("the fault tools do not build".into());
    }
    Ok(place::target().join("debug").join("faults"))
}

fn parse(words: &[String]) -> Outcome<Plan> {
    let seed = u64::from(std::time::UNIX_EPOCH.elapsed()?.subsec_nanos()) % 1_000_000;
    let mut plan = Plan { kafka: false, release: false, seconds: 60, seed, protocols: Vec::new() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--kafka" => plan.kafka = true,
            "--release" => plan.release = true,
            "--seconds" => plan.seconds = value()?.parse()?,
            "--seed" => plan.seed = value()?.parse()?,
            "--protocol" => plan.protocols.push(value()?.clone()),
            other => return Err(format!("`storm` does not know {other}").into()),
        }
    }
    if let Some(unknown) = plan.protocols.iter().find(|name| !PROTOCOLS.contains(&name.as_str())) {
        return Err(format!("no protocol is called {unknown}; there are {PROTOCOLS:?}").into());
    }
    if plan.protocols.is_empty() {
        plan.protocols = PROTOCOLS.map(str::to_owned).to_vec();
    }
    Ok(plan)
}
