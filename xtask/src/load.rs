//! The yardstick of `benches`, run as a program: a line of JSON per measurement.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::Owned;
use crate::{Outcome, place};

/// Builds it and says where it is; `XTASK_LOAD` names one that is built already.
pub(crate) fn build(release: bool) -> Outcome<PathBuf> {
    if let Some(built) = std::env::var_os("XTASK_LOAD") {
        return Ok(built.into());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(place::root()).args(["build", "--package", "load", "--bin", "load"]);
    if release {
        cargo.arg("--release");
    }
    if !cargo.status()?.success() {
        return Err("the yardstick `load` does not build".into());
    }
    Ok(place::target().join(if release { "release" } else { "debug" }).join("load"))
}

/// Builds the program that counts allocations inside of the embedded broker.
pub(crate) fn build_counted() -> Outcome<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let words = ["build", "--release", "--package", "load", "--features", "counted"];
    let built = cargo.current_dir(place::root()).args(words).args(["--bin", "load-counted"]);
    if !built.status()?.success() {
        return Err("the program `load-counted` does not build".into());
    }
    Ok(place::target().join("release/load-counted"))
}

/// One measurement against the broker at `bootstrap`.
pub(crate) fn run(load: &Path, bootstrap: &str, words: &[&str]) -> Outcome<Value> {
    let output = Command::new(load).args(["--bootstrap", bootstrap]).args(words).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("`load {}` failed: {said}", words.join(" ")).into());
    }
    json(&output.stdout)
}

/// The last line as JSON.
pub(crate) fn json(stdout: &[u8]) -> Outcome<Value> {
    let text = String::from_utf8_lossy(stdout);
    let line = text.lines().last().ok_or("a program that shall print JSON printed nothing")?;
    // Some commands print one object over many lines.
    serde_json::from_str(line).or_else(|_| serde_json::from_str(&text)).map_err(Into::into)
}

/// A consumer that waits at the end of a topic until it is dropped.
pub(crate) fn wait_for_records(load: &Path, bootstrap: &str, topic: &str) -> Outcome<Owned> {
    let child = Command::new(load)
        .args(["--bootstrap", bootstrap, "wait", "--topic", topic])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    Ok(Owned::new(child))
}
