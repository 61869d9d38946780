//! kill -9 with a gibibyte of data: how soon the broker serves again, and whether anything is lost.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::tidings::{self, Broker};
use crate::{Outcome, load};

/// The goal; printed beside what was measured.
const GOAL: Duration = Duration::from_millis(200);
/// What fails the run: a machine of CI that does other things is slower than the goal's.
const LIMIT: Duration = Duration::from_millis(1000);
const VALUE_BYTES: u64 = 1024;
const TOPIC: &str = "crash";

/// `cargo xtask crash`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let (mut release, mut mib) = (false, 1024);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--release" => release = true,
            "--mib" => mib = words.next().ok_or("--mib needs a number")?.parse::<u64>()?,
            other => return Err(format!("`crash` does not know {other}").into()),
        }
    }
    let binary = tidings::build(release)?;
    let load = load::build(release)?;
    let dir = tidings::fresh_dir("crash")?;
    let data = dir.join("data");

    let broker = Broker::start(&binary, &data, &[])?;
    let messages = mib * 1024 * 1024 / VALUE_BYTES;
    let count = messages.to_string();
    let words = ["produce", "--topic", TOPIC, "--messages", &count];
    let filled = load::run(&load, broker.bootstrap(), &words)?;
    println!("wrote {mib} MiB, {:.0} messages/s", filled["per_second"].as_f64().unwrap_or(0.0));

    let acknowledged = messages + killed_under_load(&load, broker)?;
    let broker = Broker::start(&binary, &data, &[])?;
    let connected = Instant::now();
    TcpStream::connect(broker.bootstrap())?;
    let served = broker.served_after + connected.elapsed();
    println!("serves again after {served:.1?} (goal {GOAL:?})");

    let read = load::run(&load, broker.bootstrap(), &["consume", "--topic", TOPIC])?;
    let records = read["records"].as_u64().ok_or("the reader did not count")?;
    println!("{acknowledged} acknowledged, {records} read");
    broker.stop()?;
    let checked = check(&binary, &data)?;
    if records < acknowledged {
        return Err(format!("{} acknowledged records are lost", acknowledged - records).into());
    }
    if checked != records {
        return Err(format!("{records} records were read, `broker check` counts {checked}").into());
    }
    if served > LIMIT {
        return Err(format!("it took {served:?} to serve again, {LIMIT:?} is the limit").into());
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// Kills the broker while a producer writes; the answer is how many writes it acknowledged.
fn killed_under_load(load: &Path, broker: Broker) -> Outcome<u64> {
    let words = ["produce", "--topic", TOPIC, "--messages", "100000000", "--until-killed"];
    let writer = Command::new(load)
        .args(["--bootstrap", broker.bootstrap()])
        .args(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    // Not a wait for something: the load shall run for a moment before the lights go out.
    std::thread::sleep(Duration::from_millis(700));
    broker.kill()?;
    let output = writer.wait_with_output()?;
    let said = load::json(&output.stdout)?;
    said["acknowledged"].as_u64().ok_or_else(|| "the writer did not count".into())
}

/// `tidings broker check`: the records of the topic, if it finds nothing wrong.
fn check(binary: &Path, data: &Path) -> Outcome<u64> {
    let output =
        Command::new(binary).args(["broker", "check", "--json", "--data"]).arg(data).output()?;
    let said = load::json(&output.stdout)?;
    if !output.status.success() || said["ok"] != true {
        return Err(format!("`broker check` finds ({}): {said}", output.status).into());
    }
    let partitions = said["partitions"].as_array().ok_or("`broker check` names no partitions")?;
    let ours = partitions.iter().filter(|partition| partition["topic"] == TOPIC);
    Ok(ours.filter_map(|partition| partition["records"].as_u64()).sum())
}
