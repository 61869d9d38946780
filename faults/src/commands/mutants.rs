//! `faults mutants`: proves the checker. The broker without a fault passes; each broker with one is
//! found out, by the kind of finding that belongs to it.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use faults::Outcome;
use faults::history::Kind;
use faults::proxy::{Rule, Rules};
use faults::random::Random;
use faults::trial::{self, Plan, Report};
use tidings_broker::mutants::Mutant;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only this one
    #[arg(long, value_parser = super::broker::mutant)]
    mutant: Option<Mutant>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the brokers' data and words go
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// How a broker is worked on.
#[derive(Debug, Clone, Copy, Default)]
struct Conditions {
    kills: u32,
    proxy: bool,
    power: bool,
    /// A group finds its coordinator again after a second: it has to have committed before a kill.
    long_lives: bool,
}

/// What a mutant needs to show itself, what has to be found, and what may be found with it because
/// it follows from it.
fn expected(mutant: Mutant) -> (Conditions, Kind, &'static [Kind]) {
    let calm = Conditions::default();
    let kills = Conditions { kills: 4, ..calm };
    match mutant {
        Mutant::AckBeforeWrite => {
            (kills, Kind::Lost, &[Kind::TwoValues, Kind::Duplicated, Kind::Reordered])
        }
        Mutant::ReuseOffset => (calm, Kind::TwoValues, &[]),
        Mutant::LoseGroupOffset => {
            (Conditions { long_lives: true, ..kills }, Kind::PositionBack, &[])
        }
        Mutant::ServeBeyondEnd => (Conditions { power: true, ..calm }, Kind::BeyondEnd, &[]),
        // The drain at the end is given the same broken fetches.
        Mutant::SkipBatch => (calm, Kind::Skipped, &[Kind::Lost, Kind::Gap, Kind::BeyondEnd]),
        Mutant::ForgetSequences => (Conditions { proxy: true, ..calm }, Kind::Duplicated, &[]),
        Mutant::AppendTwice => (calm, Kind::Duplicated, &[]),
        // What was held back lies elsewhere than its producer was told.
        Mutant::SwapBatches => (calm, Kind::Reordered, &[Kind::TwoValues]),
        Mutant::FlipByte => (calm, Kind::Phantom, &[Kind::Lost]),
        Mutant::WrongPartition => (calm, Kind::Phantom, &[Kind::Lost, Kind::TwoValues]),
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut missed = Vec::new();
    println!("seed {}", arguments.seed);
    if arguments.mutant.is_none() {
        for conditions in [
            Conditions { kills: 3, proxy: true, power: false, long_lives: false },
            Conditions { kills: 3, proxy: true, power: true, long_lives: false },
        ] {
            let report = trial(arguments, None, conditions)?;
            if !report.is_good() {
                println!("{}", report.lines().join("\n"));
                return Err("the broker without a fault does not pass".into());
            }
            println!("{:<22} nothing found", "no fault");
        }
    }
    for mutant in Mutant::ALL {
        if arguments.mutant.is_some_and(|only| only != mutant) {
            continue;
        }
        let (conditions, wanted, with_it) = expected(mutant);
        let began = Instant::now();
        let report = trial(arguments, Some(mutant), conditions)?;
        let kinds: BTreeSet<Kind> = report.findings.iter().map(|finding| finding.kind).collect();
        let others = kinds.iter().filter(|kind| **kind != wanted && !with_it.contains(kind));
        let others: Vec<&str> = others.map(|kind| kind.name()).collect();
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let verdict = if kinds.contains(&wanted) && others.is_empty() { "found" } else { "MISSED" };
        let (name, took) = (mutant.name(), began.elapsed().as_secs_f64());
        println!("{name:<22} {verdict} in {took:.1} s: {}", names.join(", "));
        if verdict != "found" {
            println!("  wanted: {}, not: {}", wanted.name(), others.join(", "));
            println!("{}", report.lines().join("\n"));
            missed.push(name);
        }
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("missed: {}", missed.join(", ")).into()) }
}

fn trial(arguments: &Arguments, mutant: Option<Mutant>, conditions: Conditions) -> Outcome<Report> {
    let name = mutant.map_or("control", Mutant::name);
    let dir = arguments.dir.join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    let (broker, proxy) = free_addresses()?;
    let via = conditions.proxy.then_some(proxy);
    let mut command = vec![std::env::current_exe()?.display().to_string(), "broker".into()];
    command.extend(words(&dir, broker, via, conditions.power));
    if let Some(mutant) = mutant {
        command.extend(["--mutant".into(), mutant.name().into()]);
    }
    let rules: Result<Vec<Rule>, String> =
        ["produce:drop=0.1", "produce:late=0.02"].into_iter().map(str::parse).collect();
    let report = trial::run(Plan {
        seed: arguments.seed,
        command,
        broker,
        via,
        rules: Rules { rules: rules?, delay_ms: 5 },
        kills: conditions.kills,
        kill_ms: if conditions.long_lives { 1800..2500 } else { 300..800 },
        proxy_faults: if conditions.proxy { 60 } else { 0 },
        work: Duration::from_secs(3),
        producers: 3,
        consumers: 1,
        topics: 1,
        partitions: 2,
        rate: 1000,
        value_bytes: 100,
        fill: 0,
        strict_end: true,
        log: dir.join("broker.out"),
        history: None,
    })?;
    std::fs::remove_dir_all(&dir)?;
    Ok(report)
}

fn words(dir: &Path, broker: SocketAddr, via: Option<SocketAddr>, power: bool) -> Vec<String> {
    let mut words = vec!["--listen".into(), broker.to_string()];
    words.extend(["--data".into(), dir.join("data").display().to_string()]);
    words.extend(["--durability".into(), if power { "power" } else { "process" }.into()]);
    if let Some(via) = via {
        words.extend(["--advertise".into(), via.to_string()]);
    }
    words
}

/// Two addresses that are free now, and that no outgoing connection is given while a broker is
/// dead: below the ports that the kernel hands out by itself.
fn free_addresses() -> Outcome<(SocketAddr, SocketAddr)> {
    let now = std::time::UNIX_EPOCH.elapsed()?.subsec_nanos();
    let mut random = Random::new(u64::from(now), u64::from(std::process::id()));
    let mut free = (0..1000).filter_map(|_| {
        let port = u16::try_from(random.within(20_000..32_000)).ok()?;
        TcpListener::bind(("127.0.0.1", port)).ok()?.local_addr().ok()
    });
    match (free.next(), free.next()) {
        (Some(one), Some(two)) if one != two => Ok((one, two)),
        _ => Err("no port between 20000 and 32000 is free".into()),
    }
}
