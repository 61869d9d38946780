//! The same tests on the embedded broker and on Apache Kafka: the library's, the broker's, other
//! people's clients, Kafka's own client and tools, and the shop. Where they differ, Kafka is right;
//! a difference that stays has its reason in `clients/differences.toml`. What came of a run stands
//! in `target/oracle/results.json`, what does not change from run to run in docs/compatibility.md.

mod differences;
mod docs;
mod java;
mod python;
mod shop;
mod tests;

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use self::differences::Answers;
use crate::kafka::{self, Kafka};
use crate::tidings::{self, Broker};
use crate::{Outcome, clients, place, recipes};

/// What the tests of groups need beside the node's usual settings: sessions of a second.
const SETTINGS: [&str; 1] = ["group.min.session.timeout.ms=100"];

#[derive(Debug, Default)]
struct Options {
    release: bool,
    write_docs: bool,
    /// Of the shop, on each broker.
    orders: Option<u32>,
    /// Only the stages whose name contains this; documents are then left alone.
    only: Option<String>,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Embedded,
    Kafka,
}

/// All that came of a run.
#[derive(Debug, Default, Serialize)]
struct Results {
    tests: Vec<tests::Suite>,
    scenarios: Vec<Row>,
    shop: Vec<shop::Run>,
    answers: Answers,
}

/// A scenario of a client on one of the two.
#[derive(Debug, Serialize)]
struct Row {
    side: Side,
    client: String,
    scenario: String,
    /// `ok`, `FAIL`, or `-` for what this client cannot do.
    outcome: String,
    seconds: f64,
    text: String,
}

/// `cargo xtask oracle`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let mut options = Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().cloned().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--release" => options.release = true,
            "--write-docs" => options.write_docs = true,
            "--orders" => options.orders = Some(value()?.parse()?),
            "--only" => options.only = Some(value()?),
            other => return Err(format!("`oracle` does not know {other}").into()),
        }
    }
    let ground = Ground::lay(&options)?;
    let mut results = Results::default();
    let outcome = run(&ground, &options, &mut results);
    let dir = place::target().join("oracle");
    std::fs::create_dir_all(&dir)?;
    let json = serde_json::to_string_pretty(&results)?;
    std::fs::write(dir.join("results.json"), json)?;
    ground.clear()?;
    outcome?;
    results.judge()?;
    if options.only.is_some() {
        return Ok(());
    }
    let differences = differences::listed()?;
    results.answers.check(&differences)?;
    docs::update(&results, &differences, options.write_docs)
}

/// The two brokers and the programs that are run against them.
struct Ground {
    kafka: Kafka,
    embedded: Broker,
    binary: PathBuf,
    python: PathBuf,
}

impl Ground {
    fn lay(options: &Options) -> Outcome<Self> {
        for (tool, probe, package) in
            [("javac", "-version", "openjdk-17-jdk-headless"), ("mvn", "-version", "maven")]
        {
            if kafka::need(tool, probe, package).is_err() {
                clients::apt_install(package)?;
            }
        }
        let python = clients::install()?;
        let binary = tidings::build(options.release)?;
        let settings = SETTINGS.map(str::to_owned).to_vec();
        let kafka =
            Kafka::start(&kafka::Options { heap_mb: 512, settings, ..kafka::Options::default() })?;
        let data = tidings::fresh_dir("oracle")?.join("data");
        let embedded = Broker::start(&binary, &data, &[])?;
        Ok(Self { kafka, embedded, binary, python })
    }

    fn bootstrap(&self, side: Side) -> String {
        match side {
            Side::Embedded => self.embedded.bootstrap().to_owned(),
            Side::Kafka => self.kafka.bootstrap(),
        }
    }

    fn clear(mut self) -> Outcome {
        self.embedded.stop()?;
        self.kafka.stop()
    }
}

fn run(ground: &Ground, options: &Options, results: &mut Results) -> Outcome {
    let began = Instant::now();
    let wanted = |stage: &str| {
        let wanted = options.only.as_ref().is_none_or(|only| stage.contains(only.as_str()));
        if wanted {
            println!("\n--- {stage} (after {:.0} s)", began.elapsed().as_secs_f64());
        }
        wanted
    };
    // Rust's tests first: they empty the broker that they are given.
    if wanted("tests") {
        results.tests = tests::run(&ground.kafka.bootstrap(), &mut results.answers)?;
    }
    if wanted("python") {
        results.scenarios.extend(python::run(ground)?);
    }
    if wanted("java") {
        results.scenarios.extend(java::run(ground, &mut results.answers)?);
    }
    if wanted("recipes") {
        recipes::run(&ground.binary, &ground.python, &ground.bootstrap(Side::Embedded))?;
    }
    if wanted("shop") {
        results.shop = shop::run(ground, options.orders)?;
    }
    println!("\nall done after {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

impl Results {
    /// Says how it went; anything that failed is an error.
    fn judge(&self) -> Outcome {
        let mut failed = Vec::new();
        for suite in &self.tests {
            println!("{suite}");
            failed.extend(suite.failed.iter().map(|name| format!("{}: {name}", suite.name)));
        }
        for side in [Side::Embedded, Side::Kafka] {
            let rows = || self.scenarios.iter().filter(move |row| row.side == side);
            let passed = rows().filter(|row| row.outcome == "ok").count();
            println!("clients' scenarios passed on {}: {passed}", side.name());
            let wrong = rows().filter(|row| !["ok", "-"].contains(&row.outcome.as_str()));
            failed.extend(wrong.map(|row| {
                format!("{} on {}: {}: {}", row.client, side.name(), row.scenario, row.text)
            }));
        }
        failed.extend(self.shop.iter().filter_map(shop::Run::failure));
        if failed.is_empty() {
            return Ok(());
        }
        Err(format!("{} failed:\n  {}", failed.len(), failed.join("\n  ")).into())
    }
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Embedded => "the embedded broker",
            Side::Kafka => "Apache Kafka",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Side::Embedded => "embedded",
            Side::Kafka => "kafka",
        }
    }
}
