//! The recipes for other languages, run for real: ours reads each one's events, and it reads ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::Owned;
use crate::{Outcome, clients, kafka, place};

/// A recipe handles three events in seconds; the JVM needs some of them to start.
const LIMIT: Duration = Duration::from_secs(90);
const ORDERS: usize = 3;

/// Runs each recipe against the broker at `bootstrap`.
pub(crate) fn run(tidings: &Path, python: &Path, bootstrap: &str) -> Outcome {
    let mut mailer = Command::new(python);
    mailer.arg(place::root().join("clients/recipes/python/mailer.py"));
    one("python", mailer, tidings, bootstrap)?;

    let classes = compile_java()?;
    let mut mailer = Command::new("java");
    mailer.arg("-cp").arg(format!("{0}/classes:{0}/lib/*", classes.display()));
    mailer.arg("dev.tidings.recipe.Mailer");
    one("java", mailer, tidings, bootstrap)
}

fn compile_java() -> Outcome<PathBuf> {
    if kafka::need("javac", "-version", "default-jdk-headless").is_err() {
        clients::apt_install("default-jdk-headless")?;
    }
    if kafka::need("mvn", "-version", "maven").is_err() {
        clients::apt_install("maven")?;
    }
    let output = place::target().join("recipe-java");
    let compiled = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(place::root().join("clients/recipes/java/pom.xml"))
        .args(["compile", "dependency:copy-dependencies"])
        .arg(format!("-Drecipe.output={}", output.display()))
        .arg(format!("-DoutputDirectory={}", output.join("lib").display()))
        .stdout(std::io::stderr())
        .status()?;
    if compiled.success() { Ok(output) } else { Err("the Java recipe does not compile".into()) }
}

/// The binary publishes orders, the recipe handles them, the binary reads its mails.
fn one(language: &str, mut mailer: Command, tidings: &Path, bootstrap: &str) -> Outcome {
    let (orders, mails) = (format!("{language}-orders"), format!("{language}-mails"));
    let ours = |words: &[&str]| lines(tidings, bootstrap, words);
    for topic in [&orders, &mails] {
        ours(&["topic", "create", topic])?;
    }
    let mut published = Vec::new();
    for n in 0..ORDERS {
        let (key, subject) = (format!("{language}-{n}"), format!("order/{n}"));
        let data = json!({"order_id": key, "customer": format!("customer {n} äöü")}).to_string();
        let head = ["event", "publish", &orders, "--type", "com.example.order.placed.v1"];
        let rest = ["--key", &key, "--subject", &subject, "--source", "/shop", "--data", &data];
        published.extend(ours(&[&head[..], &rest[..], &["--json"]].concat())?);
    }
    // One that the recipe does not know: it passes by.
    ours(&["event", "publish", &orders, "--type", "com.example.order.seen.v1", "--data", "{}"])?;

    let child = mailer.args([bootstrap, &orders, &mails, &ORDERS.to_string()]).spawn()?;
    match Owned::new(child).wait(LIMIT)? {
        Some(status) if status.success() => {}
        Some(status) => return Err(format!("the {language} recipe ended with {status}").into()),
        None => return Err(format!("the {language} recipe is not done after {LIMIT:?}").into()),
    }

    let tail = ["event", "tail", &mails, "--from", "beginning", "--until-end", "--json"];
    let found = ours(&tail)?;
    for order in &published {
        let id = &order["id"];
        let mail = found.iter().find(|mail| mail["causationid"] == *id);
        let mail = mail.ok_or_else(|| format!("no {language} mail is caused by {id}"))?;
        let source = format!("/mailer-{language}");
        same(&mail["source"], &json!(source))?;
        same(&mail["type"], &json!("com.example.mail.sent.v1"))?;
        same(&mail["correlationid"], id)?;
        let key = mail["kafkakey"].as_str().unwrap_or_default();
        same(&mail["data"]["order_id"], &json!(key))?;
        let id = id.as_str().unwrap_or_default();
        let flow = ours(&["flow", id, "--json"])?;
        same(&flow[0]["roots"][0]["children"][0]["source"], &json!(source))?;
    }
    same(&json!(found.len()), &json!(ORDERS))?;
    println!("  ok    {language:13} recipe: {ORDERS} orders read, as many mails, one flow each");
    Ok(())
}

fn same(got: &Value, want: &Value) -> Outcome {
    if got == want { Ok(()) } else { Err(format!("got {got}, want {want}").into()) }
}

/// Runs the binary; each line of its output that is JSON.
fn lines(tidings: &Path, bootstrap: &str, words: &[&str]) -> Outcome<Vec<Value>> {
    let output = Command::new(tidings)
        .args(words)
        .args(["--bootstrap", bootstrap])
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("`tidings {}`: {said}", words.join(" ")).into());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if let Ok(one) = serde_json::from_str(&text) {
        return Ok(vec![one]);
    }
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
