//! `faults run`: one trial, its rows, and a failure if the broker did anything wrong.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use faults::Outcome;
use faults::trial::{self, Plan};

use super::proxy::RuleArguments;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where the broker listens
    #[arg(long, value_name = "ADDR")]
    broker: SocketAddr,
    /// Where the proxy listens; the broker has to advertise this address. Without it clients
    /// connect to the broker
    #[arg(long, value_name = "ADDR")]
    via: Option<SocketAddr>,
    #[command(flatten)]
    rules: RuleArguments,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many kills
    #[arg(long, default_value_t = 0)]
    cycles: u32,
    /// How long the broker lives until a kill, in milliseconds
    #[arg(long, value_name = "FROM..TO", default_value = "50..2000", value_parser = super::millis)]
    kill_ms: Range<u64>,
    /// Go on until the proxy did so many faults
    #[arg(long, default_value_t = 0)]
    proxy_faults: u64,
    /// How long to work if there are neither kills nor faults to count
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[arg(long, default_value_t = 4)]
    producers: u16,
    #[arg(long, default_value_t = 2)]
    consumers: u16,
    #[arg(long, default_value_t = 3)]
    topics: u16,
    #[arg(long, default_value_t = 4)]
    partitions: u16,
    /// Records per second and producer
    #[arg(long, default_value_t = 1000)]
    rate: u64,
    /// Bytes of a record's value
    #[arg(long, default_value_t = 100)]
    value_bytes: usize,
    /// First fill the log with so many records, as fast as it goes
    #[arg(long, default_value_t = 0)]
    fill: u64,
    /// Hold each answer's records against the end of the log in the same answer (Apache Kafka
    /// takes down the end first, so its records may reach beyond it)
    #[arg(long)]
    strict_end: bool,
    /// Fail if the slowest restarts (p99) took longer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 120_000)]
    ready_limit_ms: u128,
    /// Where the broker's words go
    #[arg(long, value_name = "FILE", default_value = "broker.out")]
    log: PathBuf,
    /// Where the history goes if something is wrong with it
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The broker's command line; without one it runs already and is not killed
    #[arg(last = true)]
    command: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let report = trial::run(Plan {
        seed: arguments.seed,
        command: arguments.command.clone(),
        broker: arguments.broker,
        via: arguments.via,
        rules: arguments.rules.rules(),
        kills: arguments.cycles,
        kill_ms: arguments.kill_ms.clone(),
        proxy_faults: arguments.proxy_faults,
        work: Duration::from_secs(arguments.seconds),
        producers: arguments.producers,
        consumers: arguments.consumers,
        topics: arguments.topics,
        partitions: arguments.partitions,
        rate: arguments.rate,
        value_bytes: arguments.value_bytes,
        fill: arguments.fill,
        strict_end: arguments.strict_end,
        log: arguments.log.clone(),
        history: arguments.history.clone(),
    })
    .map_err(|error| format!("seed {}: {error}", arguments.seed))?;
    println!("{:<34} {:>12}", "seed", arguments.seed);
    for line in report.lines() {
        println!("{line}");
    }
    let ready = report.ready_p99().as_millis();
    if ready > arguments.ready_limit_ms {
        let limit = arguments.ready_limit_ms;
        return Err(format!("ready again after {ready} ms, {limit} ms is the limit").into());
    }
    if report.is_good() {
        return Ok(());
    }
    let kept = match &arguments.history {
        Some(path) => format!("; its history is in {}", path.display()),
        None => String::new(),
    };
    Err(format!("the run with seed {} is not as it shall be{kept}", arguments.seed).into())
}
