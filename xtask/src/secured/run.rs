//! One process: run to its end, or for a while, and what it has said.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process::Owned;

/// Every password of the users and of the key ends like this.
const SECRET: &str = "-secret";
/// What a service may take to stop.
const STOP: Duration = Duration::from_secs(40);

/// A process that has ended, or was stopped.
pub(super) struct Ran {
    /// Its exit code; none if it was still running.
    pub(super) code: Option<i32>,
    pub(super) said: String,
    pub(super) took: Duration,
}

/// Runs it to its end.
pub(super) fn finish(command: &mut Command, directory: &Path, limit: Duration) -> Outcome<Ran> {
    until(command, directory, limit, |_| false)
}

/// Runs it to its end, or until it has said what is waited for; then it is told to stop.
pub(super) fn until(
    command: &mut Command,
    directory: &Path,
    limit: Duration,
    enough: impl Fn(&str) -> bool,
) -> Outcome<Ran> {
    let log = directory.join("said");
    let began = Instant::now();
    let child = command
        .current_dir(directory)
        // A service of the shop stops when its standard input ends.
        .stdin(Stdio::piped())
        .stdout(File::create(&log)?)
        .stderr(File::options().append(true).open(&log)?)
        .spawn()?;
    let mut process = Owned::new(child);
    let read =
        || -> Outcome<String> { Ok(String::from_utf8_lossy(&std::fs::read(&log)?).into_owned()) };
    loop {
        // Waiting closes its standard input, and this looks without doing so.
        if let Some(status) = process.child().try_wait()? {
            return Ok(Ran { code: status.code(), said: read()?, took: began.elapsed() });
        }
        if enough(&read()?) {
            process.stop(STOP)?;
            return Ok(Ran { code: None, said: read()?, took: began.elapsed() });
        }
        if began.elapsed() > limit {
            return Err(format!("it still runs after {limit:?}, and says:\n{}", read()?).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Ran {
    /// Whether it ended as it should, said what it should, and kept every password to itself.
    pub(super) fn expect(&self, code: i32, says: &[&str]) -> Outcome {
        let Ran { said, .. } = self;
        if self.code.is_some_and(|found| found != code) {
            return Err(format!("exit code {:?}, not {code}; it says:\n{said}", self.code).into());
        }
        for part in says {
            if !said.contains(part) {
                return Err(format!("it does not say `{part}`, but:\n{said}").into());
            }
        }
        if said.contains(SECRET) {
            return Err(format!("it tells a password:\n{said}").into());
        }
        Ok(())
    }
}
