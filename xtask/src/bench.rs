//! Benchmarks as ratios: both sides in one run on one machine, the same client against each.
//! A row is a file below `bench/`; what it prints is Markdown, as it stands in docs/benchmarks.md.

mod breadth;
mod consume;
mod counters;
mod figures;
mod footprint;
mod framework;
mod keyed;
mod latency;
mod length;
mod outbox;
mod page;
mod proc;
mod produce;
mod round_trip;
mod shop;
mod side;
mod stored;
mod syscalls;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::{Outcome, load, place, tidings};

/// What one row needs to run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Few messages, few pairs: shows that everything works, not how fast.
    pub(crate) quick: bool,
    /// How often the sides take turns.
    pub(crate) pairs: usize,
    /// The binary `tidings`.
    pub(crate) tidings: PathBuf,
    /// The load program.
    pub(crate) load: PathBuf,
}

/// What one row has measured.
#[derive(Debug)]
pub(crate) struct Section {
    /// Tables, and perhaps a sentence; docs/benchmarks.md says what they mean.
    pub(crate) markdown: String,
    /// The same for programs.
    pub(crate) figures: Value,
}

/// One row of the table of benchmarks.
struct Row {
    name: &'static str,
    what: &'static str,
    run: fn(&Plan) -> Outcome<Section>,
}

const ROWS: &[Row] = &[
    Row { name: "shop", what: "the shop's whole sample at full rate", run: shop::run },
    Row { name: "B1", what: "produce, `process`", run: produce::process },
    Row { name: "B2", what: "produce, `power`", run: produce::power },
    Row { name: "B4", what: "one request in flight", run: round_trip::run },
    Row { name: "B5", what: "consume", run: consume::run },
    Row { name: "B7", what: "latency end to end", run: latency::run },
    Row { name: "B9", what: "a transaction with an event beside it", run: outbox::write },
    Row { name: "B10", what: "an outbox drained", run: outbox::drain },
    Row { name: "B11", what: "from commit to consumer", run: outbox::latency },
    Row { name: "B12", what: "the library beside a bare client", run: framework::run },
    Row { name: "B12-store", what: "a service with a store", run: stored::run },
    Row { name: "B13", what: "keyed parallelism", run: keyed::run },
    Row { name: "B17", what: "footprint", run: footprint::run },
    Row { name: "counters", what: "calls, allocations, instructions", run: counters::run },
    Row { name: "length", what: "growth of a log", run: length::run },
    Row { name: "breadth", what: "growth of partitions and topics", run: breadth::run },
];

/// What the words of the command line ask for.
#[derive(Debug, Default)]
struct Words {
    rows: Vec<String>,
    quick: bool,
    resume: bool,
    pairs: Option<usize>,
    json: Option<PathBuf>,
    write: bool,
}

/// `cargo xtask bench [ROW...] [--quick] [--pairs N] [--resume] [--write] [--json FILE]`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let words = parse(words)?;
    let chosen = chosen(&words.rows)?;
    let plan = Plan {
        quick: words.quick,
        pairs: words.pairs.unwrap_or(if words.quick { 1 } else { 7 }),
        tidings: tidings::build(true)?,
        load: load::build(true)?,
    };
    let kept = place::target().join("xtask").join("bench");
    fs::create_dir_all(&kept)?;
    let mut figures = Map::new();
    let mut failed = Vec::new();
    for (at, row) in chosen.iter().enumerate() {
        eprintln!("[{}/{}] {}: {}", at + 1, chosen.len(), row.name, row.what);
        let file = kept.join(format!("{}.json", row.name));
        match measure(row, &plan, &file, words.resume) {
            Ok(section) => {
                println!("### {}: {}\n\n{}\n", row.name, row.what, section.markdown.trim_end());
                if words.write
                    && let Err(error) = page::write(row.name, &section.markdown)
                {
                    eprintln!("error: {error}");
                    failed.push(row.name);
                }
                figures.insert(row.name.to_owned(), section.figures);
            }
            Err(error) => {
                eprintln!("error: {} failed: {error}", row.name);
                failed.push(row.name);
            }
        }
    }
    if let Some(file) = words.json {
        fs::write(file, format!("{:#}\n", Value::Object(figures)))?;
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// Runs a row and keeps what it measured, or takes what an earlier run has kept.
fn measure(row: &Row, plan: &Plan, file: &PathBuf, resume: bool) -> Outcome<Section> {
    if resume && let Ok(text) = fs::read_to_string(file) {
        let kept: Value = serde_json::from_str(&text)?;
        let markdown = kept["markdown"].as_str().unwrap_or_default().to_owned();
        eprintln!("      taken from an earlier run");
        return Ok(Section { markdown, figures: kept["figures"].clone() });
    }
    let began = Instant::now();
    let section = (row.run)(plan)?;
    let took = Duration::from_secs(began.elapsed().as_secs());
    eprintln!("      {took:?}");
    let kept = json!({ "markdown": section.markdown, "figures": section.figures });
    fs::write(file, format!("{kept:#}\n"))?;
    Ok(section)
}

fn parse(words: &[String]) -> Outcome<Words> {
    let mut parsed = Words::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--quick" => parsed.quick = true,
            "--write" => parsed.write = true,
            "--resume" => parsed.resume = true,
            "--pairs" => parsed.pairs = Some(value()?.parse::<usize>()?.max(1)),
            "--json" => parsed.json = Some(value()?.into()),
            flag if flag.starts_with('-') => {
                return Err(format!("`bench` does not know {flag}").into());
            }
            row => parsed.rows.push(row.to_owned()),
        }
    }
    Ok(parsed)
}

/// The rows that are named, in the table's order; all if none is.
fn chosen(names: &[String]) -> Outcome<Vec<&'static Row>> {
    let unknown = |name: &&String| !ROWS.iter().any(|row| row.name.eq_ignore_ascii_case(name));
    if let Some(name) = names.iter().find(unknown) {
        let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        return Err(format!("no row is called {name}; there are {}", known.join(", ")).into());
    }
    let wanted = |row: &Row| names.iter().any(|name| row.name.eq_ignore_ascii_case(name));
    Ok(ROWS.iter().filter(|row| names.is_empty() || wanted(row)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn rows_are_chosen_by_name_and_run_in_the_tables_order() {
        let names = |text: &str| -> Vec<&str> {
            chosen(&words(text)).unwrap().iter().map(|row| row.name).collect()
        };
        assert_eq!(names("b1 SHOP"), ["shop", "B1"]);
        assert_eq!(names("").len(), ROWS.len());
        assert!(chosen(&words("B99")).is_err_and(|error| error.to_string().contains("shop")));
    }

    #[test]
    fn a_flag_that_nobody_knows_is_no_row() {
        let parsed = parse(&words("shop --quick --pairs 3 --json out.json")).unwrap();
        assert_eq!((parsed.quick, parsed.pairs, parsed.rows.len()), (true, Some(3), 1));
        assert!(parse(&words("--fast")).is_err());
    }
}
