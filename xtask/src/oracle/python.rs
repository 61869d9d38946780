//! kcat, confluent-kafka and kafka-python against both: the suite in `clients/suite`.

use std::process::Command;

use super::{Ground, Row, Side};
use crate::{Outcome, place};

/// Both at once: most of a scenario is waiting for a session to end.
pub(super) fn run(ground: &Ground) -> Outcome<Vec<Row>> {
    let sides = [Side::Embedded, Side::Kafka];
    let dir = place::target().join("oracle");
    std::fs::create_dir_all(&dir)?;
    let mut running = Vec::new();
    for side in sides {
        let json = dir.join(format!("python-{}.json", side.word()));
        let child = Command::new(&ground.python)
            .arg(place::root().join("clients/suite/run.py"))
            .args(["--bootstrap", &ground.bootstrap(side), "--json"])
            .arg(&json)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(std::fs::File::create(json.with_extension("out"))?)
            .spawn()?;
        running.push((side, json, crate::process::Owned::new(child)));
    }
    let mut rows = Vec::new();
    for (side, json, mut child) in running {
        let limit = std::time::Duration::from_secs(600);
        if child.wait(limit)?.is_none() {
            return Err(format!("the client suite hangs on {}", side.name()).into());
        }
        let said = crate::process::tail(&json.with_extension("out"), 6_000);
        println!("on {}:\n{said}", side.name());
        // Rows that failed are in the file too; without a file the suite itself broke.
        let text = std::fs::read_to_string(&json)
            .map_err(|_| format!("the client suite broke on {}", side.name()))?;
        let found: Vec<(String, String, String, f64, String)> = serde_json::from_str(&text)?;
        rows.extend(found.into_iter().map(|(scenario, client, outcome, seconds, text)| Row {
            side,
            client,
            scenario,
            outcome,
            seconds,
            text,
        }));
    }
    Ok(rows)
}
