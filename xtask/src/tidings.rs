//! The binary under test: built by Cargo, started as `tidings broker`, stopped or killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::process::{Owned, tail};
use crate::{Outcome, place};

/// A start takes milliseconds; the limit is for machines that do other things beside it.
const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Builds the binary and says where it is; `XTASK_TIDINGS` names one that is built already.
pub(crate) fn build(release: bool) -> Outcome<PathBuf> {
    if let Some(built) = std::env::var_os("XTASK_TIDINGS") {
        return Ok(built.into());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(place::root()).args(["build", "--package", "tidings-cli"]);
    if release {
        cargo.arg("--release");
    }
    if !cargo.status()?.success() {
        return Err("the binary `tidings` does not build".into());
    }
    Ok(place::target().join(if release { "release" } else { "debug" }).join("tidings"))
}

/// `tidings broker` on a data directory and a port of its own; killed when dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    process: Owned,
    bootstrap: String,
}

impl Broker {
    /// Starts it and waits for the line `listening HOST:PORT`; `more` may say where it listens.
    pub(crate) fn start(binary: &Path, data: &Path, more: &[&str]) -> Outcome<Self> {
        std::fs::create_dir_all(data)?;
        let log = data.with_extension("out");
        let anywhere: &[&str] =
            if more.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let mut child = Command::new(binary)
            .args(["broker", "--data"])
            .arg(data)
            .args(anywhere)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log)?)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the broker has no standard output")?;
        let mut process = Owned::new(child);
        let (tell, told) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Later lines are read too, so that the broker never waits for its reader.
                let _gone = tell.send(line);
            }
        });
        match told.recv_timeout(START_LIMIT) {
            Ok(line) => {
                let bootstrap = line
                    .strip_prefix("listening ")
                    .ok_or_else(|| format!("the broker's first line is `{line}`"))?;
                Ok(Self { process, bootstrap: bootstrap.trim().to_owned() })
            }
            Err(_) => {
                let _ended = process.stop(Duration::ZERO);
                Err(format!("`tidings broker` does not start:\n{}", tail(&log, 4000)).into())
            }
        }
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// kill -9: nothing is said, nothing is written any more.
    pub(crate) fn kill(mut self) -> Outcome {
        self.process.signal(Signal::SIGKILL);
        match self.process.wait(STOP_LIMIT)? {
            Some(_) => Ok(()),
            None => Err("the broker outlives kill -9".into()),
        }
    }

    /// SIGTERM; anything but a clean end is an error.
    pub(crate) fn stop(mut self) -> Outcome {
        let status = self.process.stop(STOP_LIMIT)?;
        if status.success() {
            return Ok(());
        }
        Err(format!("the broker ended with {status} after SIGTERM").into())
    }
}

/// A fresh directory below the target directory; what an earlier run left there is removed.
pub(crate) fn fresh_dir(name: &str) -> Outcome<PathBuf> {
    let dir = place::target().join("xtask").join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}
