//! The broker's tests that need its release binary in a process of its own: failing and full disks
//! (`disk`), and clients that are out to break it (`hostile`). The tests are the broker's own,
//! crates/tidings-broker/tests/it/release; here is what they need on the machine.

use std::process::Command;

use crate::{Outcome, place, tidings};

/// A size that may be given, and how the tests are told.
struct Size {
    flag: &'static str,
    variable: &'static str,
}

/// `cargo xtask disk`.
pub(crate) fn disk(words: &[String]) -> Outcome {
    let sizes = [
        Size { flag: "--calls", variable: "TIDINGS_TEST_DISK_CALLS" },
        Size { flag: "--cycles", variable: "TIDINGS_TEST_DISK_CYCLES" },
    ];
    let sizes = parse("disk", words, &sizes)?;
    install_strace()?;
    run("release::disk_", &sizes)
}

/// `cargo xtask hostile`.
pub(crate) fn hostile(words: &[String]) -> Outcome {
    let sizes = [
        Size { flag: "--idle", variable: "TIDINGS_TEST_IDLE" },
        Size { flag: "--busy", variable: "TIDINGS_TEST_BUSY" },
        Size { flag: "--seconds", variable: "TIDINGS_TEST_SECONDS" },
    ];
    run("release::hostile", &parse("hostile", words, &sizes)?)
}

fn parse(command: &str, words: &[String], sizes: &[Size]) -> Outcome<Vec<(&'static str, String)>> {
    let mut given = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(size) = sizes.iter().find(|size| size.flag == word) else {
            return Err(format!("`{command}` does not know {word}").into());
        };
        let number = words.next().ok_or_else(|| format!("{word} needs a number"))?;
        number.parse::<u64>()?;
        given.push((size.variable, number.clone()));
    }
    Ok(given)
}

fn run(tests: &str, sizes: &[(&'static str, String)]) -> Outcome {
    let binary = tidings::build(true)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(place::root())
        .args(["test", "--package", "tidings-broker", "--test", "it", tests, "--"])
        // One after the other: each has the machine, and its rows, to itself.
        .args(["--ignored", "--nocapture", "--test-threads", "1"])
        .env("TIDINGS_TEST_BINARY", binary)
        .envs(sizes.iter().map(|(variable, number)| (*variable, number)))
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("{tests}*: {status}").into()) }
}

fn install_strace() -> Outcome {
    if Command::new("strace").arg("--version").output().is_ok() {
        return Ok(());
    }
    for words in [&["update", "-qq"][..], &["install", "-y", "-qq", "strace"][..]] {
        if !Command::new("apt-get").args(words).status()?.success() {
            return Err("strace is missing, and apt-get does not install it: run as root".into());
        }
    }
    Ok(())
}
