//! docs/compatibility.md: what a run found stands between markers and is written from it. The
//! ordinary run fails when the file says something else. Times, and numbers of tests that grow from
//! day to day, are left to `results.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::differences::Difference;
use super::{Results, Side};
use crate::{Outcome, place};

const FILE: &str = "docs/compatibility.md";

pub(super) fn update(results: &Results, differences: &[Difference], write: bool) -> Outcome {
    let path = place::root().join(FILE);
    let before = std::fs::read_to_string(&path)?;
    let mut after = before.clone();
    for (name, text) in [
        ("clients", clients(results)),
        ("tests", tests(results)),
        ("differences", answers(results, differences)),
        ("scenarios", scenarios(results)),
    ] {
        after = replaced(&after, name, &text)?;
    }
    if after == before {
        println!("{FILE} says what this run found");
        return Ok(());
    }
    if write {
        std::fs::write(&path, after)?;
        println!("{FILE} is written anew");
        return Ok(());
    }
    let lines = after.lines().zip(before.lines()).find(|(after, before)| after != before);
    let (found, said) = lines.unwrap_or(("", "(the end of the file)"));
    Err(format!(
        "{FILE} does not say what this run found:\n  says   {said}\n  found  {found}\n\
         write it by `cargo xtask oracle --write-docs`"
    )
    .into())
}

/// The text between this name's markers exchanged.
fn replaced(file: &str, name: &str, text: &str) -> Outcome<String> {
    let (begin, end) = (format!("<!-- oracle: {name} -->\n"), format!("<!-- end of {name} -->"));
    let cut = |at: Option<usize>| at.ok_or(format!("{FILE} has no markers for {name}"));
    let from = cut(file.find(&begin))? + begin.len();
    let to = from + cut(file[from..].find(&end))?;
    Ok(format!("{}{text}{}", &file[..from], &file[to..]))
}

/// How many scenarios each client has, and passes.
fn clients(results: &Results) -> String {
    let mut text =
        "| client | scenarios | the embedded broker | Apache Kafka |\n|---|---|---|---|\n"
            .to_owned();
    let names: BTreeSet<&str> = results.scenarios.iter().map(|row| row.client.as_str()).collect();
    for client in names {
        let rows = |side| {
            let of_client = results.scenarios.iter().filter(move |row| row.client == client);
            of_client.filter(move |row| row.side == side && row.outcome != "-")
        };
        let passed = |side| match rows(side).filter(|row| row.outcome != "ok").count() {
            0 => "all pass".to_owned(),
            failed => format!("{failed} fail"),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            called(client),
            rows(Side::Kafka).count(),
            passed(Side::Embedded),
            passed(Side::Kafka)
        );
    }
    text
}

/// A client's name for people.
fn called(client: &str) -> &str {
    match client {
        "java" => "Apache Kafka's Java client",
        "tools" => "Apache Kafka's command-line tools",
        other => other,
    }
}

/// Which of the project's own tests do not run on both, and why.
fn tests(results: &Results) -> String {
    let mut text = "| tests | on the embedded broker only |\n|---|---|\n".to_owned();
    for suite in &results.tests {
        let reasons: Vec<&str> = suite.embedded_only.keys().map(String::as_str).collect();
        let _ = writeln!(text, "| {} | {} |", suite.name, reasons.join("; "));
    }
    let _ = writeln!(text, "| the shop, headless | nothing |");
    text
}

/// What each answers, and why it stays.
fn answers(results: &Results, differences: &[Difference]) -> String {
    let mut text =
        "| asked | the embedded broker | Apache Kafka | why it stays |\n|---|---|---|---|\n"
            .to_owned();
    for Difference { id, what, why } in differences {
        let of = |side| results.answers.of(side, id).unwrap_or("not asked");
        let _ = writeln!(text, "| {what} | {} | {} | {why} |", of(Side::Embedded), of(Side::Kafka));
    }
    text
}

/// Every scenario, with the clients that run it on both.
fn scenarios(results: &Results) -> String {
    let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in results.scenarios.iter().filter(|row| row.outcome == "ok") {
        by_name.entry(&row.scenario).or_default().insert(&row.client);
    }
    let mut text = "| scenario | clients |\n|---|---|\n".to_owned();
    for (scenario, clients) in by_name {
        let clients: Vec<&str> = clients.into_iter().collect();
        let _ = writeln!(text, "| {} | {} |", scenario.replace('_', " "), clients.join(", "));
    }
    text
}
