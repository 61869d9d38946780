//! The project's own integration tests on Apache Kafka. On the embedded broker `cargo test` runs
//! them; here they run again with `TIDINGS_TEST_BOOTSTRAP`, and report what they did with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use serde_json::Value;

use super::Side;
use super::differences::Answers;
use crate::{Outcome, place};

/// A module of tests that does not run on Apache Kafka, and why.
type Apart = (&'static str, &'static str);

/// Whose tests, and those modules of theirs that are about something else than a broker's answers.
const SUITES: [(&str, &str, &[Apart]); 2] = [
    (
        "tidings",
        "the library's integration tests",
        &[
            ("mistakes::", "about the compiler's sentences"),
            ("services::harness::", "handlers without a broker"),
        ],
    ),
    (
        "tidings-broker",
        "the broker's client tests",
        &[
            ("durability::", "disks that fail, reached from inside the process"),
            ("hostile::", "limits and memory, measured inside the process"),
            ("startup::", "starting and stopping the broker itself"),
            ("release::", "the release binary on failing disks and among hostile clients"),
        ],
    ),
];

/// What came of one program of tests.
#[derive(Debug, Default, Serialize)]
pub(super) struct Suite {
    pub(super) name: String,
    /// Passed, and the broker was asked.
    pub(super) on_both: BTreeSet<String>,
    /// Not for Apache Kafka, by reason.
    pub(super) embedded_only: BTreeMap<String, BTreeSet<String>>,
    /// Passed, and asks no broker.
    pub(super) without: BTreeSet<String>,
    pub(super) failed: BTreeSet<String>,
}

pub(super) fn run(bootstrap: &str, answers: &mut Answers) -> Outcome<Vec<Suite>> {
    let programs = build()?;
    let mut suites = Vec::new();
    for (package, name, apart) in SUITES {
        let program = programs.get(package).ok_or(format!("{package} has no tests `it`"))?;
        println!("{name} on Apache Kafka");
        suites.push(one(program, name, apart, bootstrap, answers)?);
    }
    Ok(suites)
}

/// Builds as `cargo test --workspace` does, so that nothing is built twice: package to program.
fn build() -> Outcome<BTreeMap<String, Program>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(place::root())
        .args(["test", "--workspace", "--test", "it", "--examples", "--no-run"])
        .args(["--locked", "--message-format=json"])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("the tests do not build".into());
    }
    let mut programs = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: Value = serde_json::from_str(line)?;
        let (target, manifest) = (&message["target"], message["manifest_path"].as_str());
        let is_ours = target["name"] == "it" && message["profile"]["test"] == true;
        if let (true, Some(path), Some(manifest)) =
            (is_ours, message["executable"].as_str(), manifest)
        {
            let home = Path::new(manifest).parent().unwrap_or(Path::new("")).to_path_buf();
            let package = home.file_name().unwrap_or_default().to_string_lossy().into_owned();
            programs.insert(package, Program { path: path.into(), home });
        }
    }
    Ok(programs)
}

struct Program {
    path: PathBuf,
    home: PathBuf,
}

impl Program {
    /// Runs it; each test that it names, and whether it passed.
    fn tests(&self, words: &[&str], envs: &[(&str, &str)]) -> Outcome<Vec<(String, bool)>> {
        let output = Command::new(&self.path)
            .args(words)
            .current_dir(&self.home)
            .env_remove("TIDINGS_TEST_BOOTSTRAP")
            .envs(envs.iter().copied())
            .stderr(Stdio::inherit())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            println!("{text}");
        }
        let results = text.lines().filter_map(|line| {
            let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
            (!outcome.starts_with("ignored")).then(|| (name.to_owned(), outcome == "ok"))
        });
        let results: Vec<(String, bool)> = results.collect();
        let all_passed = results.iter().all(|(_, passed)| *passed);
        if results.is_empty() || all_passed != output.status.success() {
            return Err(format!("{} ended with {}", self.path.display(), output.status).into());
        }
        Ok(results)
    }

    fn names(&self, module: &str) -> Outcome<BTreeSet<String>> {
        let output = Command::new(&self.path).args(["--list", module]).output()?;
        let text = String::from_utf8(output.stdout)?;
        let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
        let of_module = names.filter(|name| name.starts_with(module));
        Ok(of_module.map(str::to_owned).collect())
    }
}

fn one(
    program: &Program,
    name: &str,
    apart: &[Apart],
    bootstrap: &str,
    answers: &mut Answers,
) -> Outcome<Suite> {
    let dir = place::target().join("oracle");
    std::fs::create_dir_all(&dir)?;
    let report = dir.join("report");
    let file = report.to_str().ok_or("the target directory's name is not UTF-8")?;
    let read = || -> Outcome<String> {
        let text = std::fs::read_to_string(&report).unwrap_or_default();
        let _none = std::fs::remove_file(&report);
        Ok(text)
    };
    read()?;
    let mut suite = Suite { name: name.to_owned(), ..Suite::default() };
    let skip: Vec<&str> = apart.iter().flat_map(|(module, _)| ["--skip", module]).collect();
    let envs = [("TIDINGS_TEST_BOOTSTRAP", bootstrap), ("TIDINGS_TEST_REPORT", file)];
    let results = program.tests(&skip, &envs)?;
    let notes = read()?;
    let (mut asked, mut reasons) = (BTreeSet::new(), BTreeMap::new());
    let mut differing = BTreeSet::new();
    for line in notes.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["asked", test, _] => drop(asked.insert(test)),
            ["embedded", test, reason] => drop(reasons.insert(test, reason)),
            ["differs", test, id, "kafka", answer] => {
                differing.insert(test);
                answers.add(Side::Kafka, id, answer)?;
            }
            _ => return Err(format!("a test reports `{line}`").into()),
        }
    }
    for (test, passed) in results {
        if !passed {
            suite.failed.insert(test);
        } else if let Some(reason) = reasons.get(&*test) {
            suite.embedded_only.entry((*reason).to_owned()).or_default().insert(test);
        } else if asked.contains(&*test) {
            suite.on_both.insert(test);
        } else {
            suite.without.insert(test);
        }
    }
    for (module, reason) in apart {
        let names = program.names(module)?;
        suite.embedded_only.entry((*reason).to_owned()).or_default().extend(names);
    }
    // What the embedded broker answers to the same questions.
    if !differing.is_empty() {
        let words: Vec<&str> = differing.into_iter().chain(["--exact"]).collect();
        program.tests(&words, &[("TIDINGS_TEST_REPORT", file)])?;
        for line in read()?.lines() {
            if let ["differs", _, id, "embedded", answer] = line.split('\t').collect::<Vec<_>>()[..]
            {
                answers.add(Side::Embedded, id, answer)?;
            }
        }
    }
    Ok(suite)
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Suite { name, on_both, embedded_only, without, failed } = self;
        let apart: usize = embedded_only.values().map(BTreeSet::len).sum();
        write!(
            f,
            "{name}: {} the same on both, {apart} on the embedded broker only, {} ask no broker, \
             {} failed",
            on_both.len(),
            without.len(),
            failed.len()
        )?;
        for (reason, tests) in embedded_only {
            write!(f, "\n  {:3} embedded only: {reason}", tests.len())?;
        }
        Ok(())
    }
}
