//! libFuzzer over every decoder and every file (`fuzz/`), with a stable compiler and no clang: the
//! flags are those of `cargo fuzz --sanitizer none`, and the engine comes from crates.io as C++.
//!
//! A finding is a panic, an input that takes more than a second of the processor's time (the fuzzer
//! itself looks at that), one that hangs, or more than 512 MiB.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Owned, tail};
use crate::{Outcome, place};

/// Instruments every block of Rust code with a counter that libFuzzer reads.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Clink-dead-code --cfg fuzzing";
const RSS_LIMIT_MB: u32 = 512;
/// By the clock on the wall: an input that waits for something that never comes.
const HANG_LIMIT_S: u32 = 30;
/// An input is small: what breaks a decoder breaks it early, and small inputs run quickly.
const MAX_INPUT_BYTES: u32 = 8 << 10;
const DEFAULT_SECONDS: u64 = 25;
/// Beyond its time a target only loads its corpus and writes its last lines.
const GRACE: Duration = Duration::from_secs(120);

struct Plan {
    seconds: u64,
    total: Option<u64>,
    jobs: usize,
    /// libFuzzer's own; without one each run goes other ways.
    seed: Option<u32>,
    targets: Vec<String>,
}

/// `cargo xtask fuzz`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let mut plan = parse(words)?;
    let binary = build()?;
    let all = targets()?;
    match plan.targets.iter().find(|name| !all.contains(name)) {
        Some(name) => return Err(format!("no target is called {name}: {}", all.join(" ")).into()),
        None if plan.targets.is_empty() => plan.targets = all,
        None => {}
    }
    let count = plan.targets.len() as u64;
    let seconds = plan.total.map_or(plan.seconds, |total| (total / count).max(1));
    let mut queue = plan.targets;
    queue.reverse();
    let (queue, found) = (Mutex::new(queue), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..plan.jobs {
            scope.spawn(|| {
                while let Some(name) = queue.lock().ok().and_then(|mut names| names.pop()) {
                    if let Err(error) = run(&binary, &name, seconds, plan.seed) {
                        let mut found = found.lock().expect("held for a push only");
                        found.push(format!("{name}: {error}"));
                    }
                }
            });
        }
    });
    let found = found.into_inner().expect("held for a push only");
    if found.is_empty() { Ok(()) } else { Err(found.join("\n").into()) }
}

fn parse(words: &[String]) -> Outcome<Plan> {
    let mut plan =
        Plan { seconds: DEFAULT_SECONDS, total: None, jobs: 1, seed: None, targets: Vec::new() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().ok_or_else(|| format!("{word} needs a number"));
        match word.as_str() {
            "--seconds" => plan.seconds = number()?.parse()?,
            "--total" => plan.total = Some(number()?.parse()?),
            "--seed" => plan.seed = Some(number()?.parse()?),
            "--jobs" => plan.jobs = number()?.parse::<usize>()?.max(1),
            other if other.starts_with('-') => {
                return Err(format!("`fuzz` does not know {other}").into());
            }
            name => plan.targets.push(name.to_owned()),
        }
    }
    Ok(plan)
}

/// Builds the fuzzer in a directory of its own: other flags would build everything else anew.
fn build() -> Outcome<PathBuf> {
    let host = host()?;
    let target = place::target().join("fuzz");
    let status = cargo()
        .env("RUSTFLAGS", FLAGS)
        .args(["build", "--locked", "--package", "fuzz", "--profile", "fuzz"])
        // With it, build scripts and macros are built without these flags.
        .args(["--target", &host, "--target-dir"])
        .arg(&target)
        .status()?;
    if !status.success() {
        return Err("the fuzzer does not build".into());
    }
    Ok(target.join(host).join("fuzz").join("fuzz"))
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(place::root());
    cargo
}

fn host() -> Outcome<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--version", "--verbose"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say its host".into())
}

/// The names in the table of targets.
fn targets() -> Outcome<Vec<String>> {
    let table = fs::read_to_string(place::root().join("fuzz/src/targets.rs"))?;
    let rows = table.lines().skip_while(|line| *line != "targets! {").skip(1);
    let names = rows.map_while(|line| Some(line.trim().split_once(": ")?.0.to_owned()));
    Ok(names.collect())
}

/// Runs one target and prints its row.
fn run(binary: &Path, name: &str, seconds: u64, seed: Option<u32>) -> Outcome {
    let dir = place::target().join("xtask").join("fuzz").join(name);
    let (corpus, seeds) = (dir.join("corpus"), dir.join("seeds"));
    let (artifacts, log) = (dir.join("findings"), dir.join("log"));
    for dir in [&corpus, &seeds, &artifacts] {
        fs::create_dir_all(dir)?;
    }
    let output = File::create(&log)?;
    let child = Command::new(binary)
        .env("FUZZ_TARGET", name)
        .env("FUZZ_SEEDS", &seeds)
        .arg(&corpus)
        .arg(&seeds)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={MAX_INPUT_BYTES}"))
        .arg(format!("-rss_limit_mb={RSS_LIMIT_MB}"))
        .arg(format!("-timeout={HANG_LIMIT_S}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg("-print_final_stats=1")
        .args(seed.map(|seed| format!("-seed={seed}")))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()?;
    let mut process = Owned::new(child);
    let began = Instant::now();
    let status = process.wait(Duration::from_secs(seconds) + GRACE)?;
    let text = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
    let number = |stat: &str| {
        let line = text.lines().rev().find(|line| line.starts_with(&format!("stat::{stat}:")));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    let (runs, peak) = (number("number_of_executed_units"), number("peak_rss_mb"));
    let seconds = began.elapsed().as_secs().max(1);
    let clean = status.is_some_and(|status| status.success());
    let verdict = if clean { "no finding" } else { "A FINDING" };
    println!("fuzz.{name} {runs} runs in {seconds} s, {peak} MiB at most; {verdict}");
    match clean {
        true => Ok(()),
        false => Err(format!(
            "found something; the input lies in {}, the end of the log is\n{}",
            artifacts.display(),
            tail(&log, 3000)
        )
        .into()),
    }
}
