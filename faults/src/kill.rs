//! A process that is killed on purpose: kill -9 by schedule, started again on the same port and
//! data, ready when it answers a client.

use std::fs::File;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Outcome;
use crate::random::Random;
use crate::wire::Wire;

/// A broker starts in milliseconds, Java in seconds; machines do other things beside it.
const READY_LIMIT: Duration = Duration::from_secs(120);
const END_LIMIT: Duration = Duration::from_secs(30);
/// How often a broker that starts is asked whether it serves.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// A broker as a command line, and the process that runs it now.
#[derive(Debug)]
pub struct Victim {
    command: Vec<String>,
    /// Where it serves when it is ready.
    addr: SocketAddr,
    /// What it says goes here.
    log: PathBuf,
    child: Option<Child>,
}

impl Victim {
    /// Nothing runs yet.
    pub fn new(command: Vec<String>, addr: SocketAddr, log: PathBuf) -> Victim {
        Victim { command, addr, log, child: None }
    }

    /// Where it serves.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Starts it and waits until it answers a client; says how long that took.
    ///
    /// # Errors
    /// It ends, or does not answer in time; the end of its log is in the text.
    pub fn start(&mut self) -> Outcome<Duration> {
        let (program, words) = self.command.split_first().ok_or("no command to run")?;
        let log = File::options().create(true).append(true).open(&self.log)?;
        let began = Instant::now();
        let child = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot run {program}: {error}"))?;
        let child = self.child.insert(child);
        loop {
            if Wire::connect(self.addr).is_ok_and(|mut wire| wire.serves()) {
                return Ok(began.elapsed());
            }
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Err(format!("{program} ended ({status}):\n{}", self.said()).into());
            }
            if began.elapsed() > READY_LIMIT {
                let said = self.said();
                return Err(
                    format!("{program} does not serve after {READY_LIMIT:?}:\n{said}").into()
                );
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// kill -9: nothing is said, nothing is written any more.
    ///
    /// # Errors
    /// It ended by itself before, which nobody asked for.
    pub fn kill(&mut self) -> Outcome {
        let mut child = self.child.take().ok_or("nothing runs that could be killed")?;
        if let Some(status) = child.try_wait()? {
            return Err(format!("the broker ended by itself ({status}):\n{}", self.said()).into());
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGTERM, and the wait for a clean end.
    ///
    /// # Errors
    /// It ends otherwise, or not in time.
    pub fn stop(&mut self) -> Outcome {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGTERM)?;
        let deadline = Instant::now() + END_LIMIT;
        loop {
            match child.try_wait()? {
                // Java's own status after SIGTERM.
                Some(status) if status.success() || status.code() == Some(143) => return Ok(()),
                Some(status) => {
                    let said = self.said();
                    return Err(format!("ended with {status} after SIGTERM:\n{said}").into());
                }
                None if Instant::now() > deadline => {
                    child.kill()?;
                    child.wait()?;
                    return Err(format!("still ran {END_LIMIT:?} after SIGTERM").into());
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// The end of its log.
    fn said(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// When the kills come: so long after the broker was ready, by a seed.
#[derive(Debug, Clone)]
pub struct Schedule {
    random: Random,
    millis: Range<u64>,
}

impl Schedule {
    /// Kills between the two times of `millis` after a start.
    pub fn new(seed: u64, millis: Range<u64>) -> Schedule {
        Schedule { random: Random::new(seed, 1), millis }
    }

    /// How long the broker lives this time.
    pub fn next_life(&mut self) -> Duration {
        self.random.millis(self.millis.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_repeats_by_its_seed() {
        let lives = |seed| {
            let mut schedule = Schedule::new(seed, 50..2000);
            (0..5).map(|_| schedule.next_life()).collect::<Vec<_>>()
        };
        assert_eq!(lives(1), lives(1));
        assert_ne!(lives(1), lives(2));
    }

    #[test]
    fn a_broker_that_does_not_start_is_said_with_its_words() {
        let log = std::env::temp_dir().join(format!("faults-kill-{}.out", std::process::id()));
        let words = ["sh", "-c", "echo no such disk; exit 3"].map(str::to_owned).to_vec();
        let mut victim = Victim::new(words, SocketAddr::from(([127, 0, 0, 1], 9)), log.clone());
        let error = victim.start().expect_err("it ends").to_string();
        assert!(error.contains("no such disk") && error.contains('3'), "{error}");
        assert!(victim.kill().is_err());
        std::fs::remove_file(log).expect("it was written");
    }
}
