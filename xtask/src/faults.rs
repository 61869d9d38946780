//! Faults on purpose against the built binary and against Apache Kafka: kill -9 under load (R1),
//! a network that drops and cuts (R10), and the proof that the checker finds what it is for.
//!
//! The tools are the binary of `faults`; here the brokers are prepared, and what they leave behind
//! is looked after.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kafka::{self, Node, two_free_ports};
use crate::tidings::{self, fresh_dir};
use crate::{Outcome, place};

/// Kills of one trial: what a history in memory may hold, and what a failing seed has to repeat.
const CYCLES_PER_TRIAL: u32 = 50;
/// What the proxy does in R10: most of it to Produce, some to everything.
const RULES: [&str; 6] = [
    "produce:drop=0.04",
    "produce:cut=0.02",
    "produce:cut-request=0.02",
    "produce:late=0.02",
    "*:drop=0.002",
    "*:delay=0.02",
];

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    Power,
    Process,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Power => "power",
            Level::Process => "process",
        }
    }
}

/// One run of `faults run` on a broker of its own.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) faults: PathBuf,
    pub(crate) tidings: PathBuf,
    pub(crate) seed: u64,
    pub(crate) name: &'static str,
}

/// The flags of the three commands.
#[derive(Debug)]
struct Flags {
    cycles: Option<u32>,
    faults: u64,
    seed: u64,
    kafka: bool,
    mutant: Option<String>,
}

/// `cargo xtask faults`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let (what, words) = words.split_first().ok_or("`faults` is r1, r10 or mutants")?;
    let mut flags = Flags { cycles: None, faults: 1000, seed: 1, kafka: false, mutant: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--cycles" => flags.cycles = Some(value()?.parse()?),
            "--faults" => flags.faults = value()?.parse()?,
            "--seed" => flags.seed = value()?.parse()?,
            "--mutant" => flags.mutant = Some(value()?.clone()),
            "--kafka" => flags.kafka = true,
            other => return Err(format!("`faults {what}` does not know {other}").into()),
        }
    }
    match what.as_str() {
        "r1" => r1(&flags),
        "r10" => r10(&flags),
        "mutants" => mutants(&flags),
        other => Err(format!("`faults` is r1, r10 or mutants, not {other}").into()),
    }
}

fn r1(flags: &Flags) -> Outcome {
    let mut trial = flags.trial("r1")?;
    let mut left = flags.cycles.unwrap_or(if flags.kafka { 3 } else { 2 * CYCLES_PER_TRIAL });
    // A level after the other, so that each has half of the kills.
    let levels = [Level::Power, Level::Process].into_iter().cycle();
    let per_trial = CYCLES_PER_TRIAL.min(left.div_ceil(2));
    for level in levels {
        if left == 0 {
            return Ok(());
        }
        let cycles = if flags.kafka { left } else { left.min(per_trial) };
        left -= cycles;
        let cycles = cycles.to_string();
        let words = ["--cycles", &cycles];
        if flags.kafka {
            // Java takes seconds to serve: it shall have done something before it is killed.
            trial.on_kafka(false, &[&words[..], &["--kill-ms", "3000..6000"]].concat())?;
        } else {
            trial.on_tidings(level, false, &words)?;
        }
        trial.seed += 1;
    }
    Ok(())
}

fn r10(flags: &Flags) -> Outcome {
    let mut trial = flags.trial("r10")?;
    let faults = if flags.kafka { flags.faults } else { flags.faults.div_ceil(2) }.to_string();
    let cycles = flags.cycles.unwrap_or(if flags.kafka { 1 } else { 5 }).to_string();
    let mut words = vec!["--proxy-faults", &faults, "--cycles", &cycles];
    words.extend(RULES.iter().flat_map(|rule| ["--rule", rule]));
    if flags.kafka {
        words.extend(["--kill-ms", "3000..6000"]);
        return trial.on_kafka(true, &words);
    }
    words.extend(["--kill-ms", "500..2000"]);
    for level in [Level::Power, Level::Process] {
        trial.on_tidings(level, true, &words)?;
        trial.seed += 1;
    }
    Ok(())
}

fn mutants(flags: &Flags) -> Outcome {
    let (dir, seed) = (fresh_dir("mutants")?, flags.seed.to_string());
    let mut command = Command::new(build()?);
    command.args(["mutants", "--seed", &seed, "--dir"]).arg(&dir);
    if let Some(mutant) = &flags.mutant {
        command.args(["--mutant", mutant]);
    }
    if !command.status()?.success() {
        return Err("the checker is not proven".into());
    }
    Ok(std::fs::remove_dir_all(dir)?)
}

impl Flags {
    fn trial(&self, name: &'static str) -> Outcome<Trial> {
        let tidings = if self.kafka { PathBuf::new() } else { tidings::build(true)? };
        Ok(Trial { faults: build()?, tidings, seed: self.seed, name })
    }
}

impl Trial {
    /// On `tidings broker`; in the end its files are verified.
    pub(crate) fn on_tidings(&self, level: Level, proxy: bool, words: &[&str]) -> Outcome {
        let dir = fresh_dir(self.name)?;
        let (port, via) = two_free_ports()?;
        let (broker, via) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{via}"));
        let mut command = Command::new(&self.tidings);
        command.args(["broker", "--listen", &broker, "--durability", level.name(), "--data"]);
        command.arg(dir.join("data"));
        if proxy {
            command.args(["--advertise", &via]);
        }
        println!("\n{} on tidings broker, `{}`", self.name, level.name());
        let via = proxy.then_some(via.as_str());
        self.run(&dir, &broker, via, &[words, &["--strict-end"]].concat(), &command)?;
        check(&self.tidings, &dir.join("data"))?;
        Ok(std::fs::remove_dir_all(dir)?)
    }

    /// On Apache Kafka.
    fn on_kafka(&self, proxy: bool, words: &[&str]) -> Outcome {
        let (_, via) = two_free_ports()?;
        let via = format!("127.0.0.1:{via}");
        // A broker that was killed comes back as its own successor only after this time.
        let mut settings = vec!["broker.session.timeout.ms=1000".to_owned()];
        settings.push("broker.heartbeat.interval.ms=200".to_owned());
        if proxy {
            settings.push(format!("advertised.listeners=PLAINTEXT://{via}"));
        }
        let node = Node::prepare(&kafka::Options { heap_mb: 512, settings, ..Default::default() })?;
        println!("\n{} on Apache Kafka 4.3.1", self.name);
        let dir = fresh_dir(self.name)?;
        let via = proxy.then_some(via.as_str());
        self.run(&dir, &node.addr().to_string(), via, words, &node.command())
            .map_err(|error| format!("{error}; the node's log is {}", node.log().display()))?;
        node.remove()
    }

    fn run(
        &self,
        dir: &Path,
        broker: &str,
        via: Option<&str>,
        words: &[&str],
        command: &Command,
    ) -> Outcome {
        let mut run = Command::new(&self.faults);
        run.args(["run", "--broker", broker, "--seed", &self.seed.to_string()]);
        run.arg("--log").arg(dir.join("broker.out"));
        run.arg("--history").arg(dir.join("history.jsonl"));
        if let Some(via) = via {
            run.args(["--via", via]);
        }
        run.args(words).arg("--").arg(command.get_program()).args(command.get_args());
        if run.status()?.success() {
            return Ok(());
        }
        let (name, seed) = (self.name, self.seed);
        Err(format!("{name} fails with seed {seed}; its files are in {}", dir.display()).into())
    }
}

/// Builds the tools, the mutants with them, and says where they are; `XTASK_FAULTS` names a binary
/// that is built already.
pub(crate) fn build() -> Outcome<PathBuf> {
    if let Some(built) = std::env::var_os("XTASK_FAULTS") {
        return Ok(built.into());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(place::root());
    cargo.args(["build", "--package", "faults", "--features", "mutants"]);
    if !cargo.status()?.success() {
        return Err("the fault tools do not build".into());
    }
    Ok(place::target().join("debug/faults"))
}

/// `tidings broker check`: fails if it finds anything wrong.
fn check(binary: &Path, data: &Path) -> Outcome {
    let output = Command::new(binary).args(["broker", "check", "--data"]).arg(data).output()?;
    if output.status.success() {
        println!("`tidings broker check` finds nothing wrong");
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Err(format!("`tidings broker check` ({}): {said}", output.status).into())
}
