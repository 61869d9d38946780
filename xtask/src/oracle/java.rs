//! Kafka's own Java client and its command-line tools against both: the suite in `clients/java`,
//! compiled against the jars that Apache Kafka itself runs from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::differences::Answers;
use super::{Ground, Row, Side};
use crate::{Outcome, kafka, place};

#[derive(Debug, Deserialize)]
struct Said {
    rows: Vec<(String, String, String, f64, String)>,
    differences: BTreeMap<String, String>,
}

pub(super) fn run(ground: &Ground, answers: &mut Answers) -> Outcome<Vec<Row>> {
    let jars = kafka::install()?;
    let classes = compile(&jars)?;
    let mut rows = Vec::new();
    for side in [Side::Embedded, Side::Kafka] {
        println!("on {}:", side.name());
        let json = place::target().join("oracle").join(format!("java-{}.json", side.word()));
        let _none = std::fs::remove_file(&json);
        let config = place::root().join("clients/java/log4j2.yaml");
        Command::new("java")
            .arg("-Xmx512m")
            .arg(format!("-Dlog4j2.configurationFile={}", config.display()))
            .arg("-cp")
            .arg(format!("{}:{}/*", classes.display(), jars.display()))
            .args(["Suite", &ground.bootstrap(side), "--broker", side.word(), "--json"])
            .arg(&json)
            .status()?;
        let text = std::fs::read_to_string(&json)
            .map_err(|_| format!("the Java suite broke on {}", side.name()))?;
        let said: Said = serde_json::from_str(&text)?;
        for (id, answer) in said.differences {
            answers.add(side, &id, &answer)?;
        }
        rows.extend(said.rows.into_iter().map(|(scenario, client, outcome, seconds, text)| Row {
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

fn compile(jars: &Path) -> Outcome<PathBuf> {
    let classes = place::target().join("oracle/java");
    std::fs::create_dir_all(&classes)?;
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(place::root().join("clients/java"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "java") {
            sources.push(path);
        }
    }
    let compiled = Command::new("javac")
        .args(["-Xlint:all,-try,-serial", "-Werror", "-d"])
        .arg(&classes)
        .arg("-cp")
        .arg(format!("{}/*", jars.display()))
        .args(&sources)
        .status()?;
    if compiled.success() { Ok(classes) } else { Err("the Java suite does not compile".into()) }
}
