//! kcat, confluent-kafka and kafka-python against both: the suite in `clients/suite`.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use super::{Ground, Row, Side};
use crate::process::{Owned, tail};
use crate::{Outcome, place};

/// A minute on an idle machine.
const LIMIT: Duration = Duration::from_secs(600);

/// One after the other: its three clients keep two cores busy, and kafka-python can hang in a
/// rebalance when it gets too little of them.
pub(super) fn run(ground: &Ground) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for side in [Side::Embedded, Side::Kafka] {
        println!("on {}:", side.name());
        rows.extend(suite(ground, side)?);
    }
    Ok(rows)
}

fn suite(ground: &Ground, side: Side) -> Outcome<Vec<Row>> {
    let dir = place::target().join("oracle");
    std::fs::create_dir_all(&dir)?;
    let json = dir.join(format!("python-{}.json", side.word()));
    let said = json.with_extension("out");
    let _none = std::fs::remove_file(&json);
    let out = File::create(&said)?;
    let child = Command::new(&ground.python)
        .arg(place::root().join("clients/suite/run.py"))
        .args(["--bootstrap", &ground.bootstrap(side), "--json"])
        .arg(&json)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()?;
    if Owned::new(child).wait(LIMIT)?.is_none() {
        return Err(format!("the client suite hangs on {}", side.name()).into());
    }
    // Rows that failed are in the file too; without a file the suite itself broke.
    let text = std::fs::read_to_string(&json)
        .map_err(|_| format!("the client suite broke:\n{}", tail(&said, 4_000)))?;
    println!("{}", tail(&said, 6_000));
    let found: Vec<(String, String, String, f64, String)> = serde_json::from_str(&text)?;
    let rows = found.into_iter().map(|(scenario, client, outcome, seconds, text)| Row {
        side,
        client,
        scenario,
        outcome,
        seconds,
        text,
    });
    Ok(rows.collect())
}
