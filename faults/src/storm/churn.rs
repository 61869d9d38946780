//! The members as processes: who joins, leaves by SIGTERM or dies by kill -9, drawn from the seed.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{FEWEST, MEMBERS, Protocol, StormArgs, history_of};
use crate::Outcome;
use crate::random::Random;

/// Between two comings or goings of a gust.
const PAUSE_MS: std::ops::Range<u64> = 100..700;
/// Now and then a lull, so that rebalances do not only begin: partitions move, and are worked on.
const LULL_MS: std::ops::Range<u64> = 1_000..2_500;
const LULLS: f64 = 0.2;
/// How many of those who go do so by kill -9.
const DEATHS: f64 = 0.35;
/// A member that was told to leave finishes what it handles, commits and says good-bye.
const LEAVE_LIMIT: Duration = Duration::from_secs(30);

/// What has happened so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) started: usize,
    pub(super) left: usize,
    pub(super) killed: usize,
}

/// All members, living and leaving.
#[derive(Debug)]
pub(super) struct Churn {
    args: StormArgs,
    group: String,
    random: Random,
    living: Vec<Member>,
    leaving: Vec<(Member, Instant)>,
    /// Names of static members that nobody bears at the moment.
    free: Vec<usize>,
    counts: Counts,
}

#[derive(Debug)]
struct Member {
    child: Child,
    /// The number of its history, and its log's.
    number: usize,
    /// Its name in the group, if it is a static one.
    name: usize,
}

impl Churn {
    /// Starts with as many members as there may be.
    pub(super) fn begin(args: &StormArgs, group: &str) -> Outcome<Self> {
        let mut churn = Self {
            args: args.clone(),
            group: group.to_owned(),
            random: Random::new(args.seed, 1),
            living: Vec::new(),
            leaving: Vec::new(),
            free: (1..=MEMBERS).rev().collect(),
            counts: Counts::default(),
        };
        (0..MEMBERS).try_for_each(|_| churn.join())?;
        Ok(churn)
    }

    /// One member comes, leaves or dies, after a pause.
    pub(super) fn step(&mut self, may_die: bool) -> Outcome {
        // The storm's own pace, not a wait for something.
        let pause = if self.random.happens(LULLS) { LULL_MS } else { PAUSE_MS };
        std::thread::sleep(self.random.millis(pause));
        self.must_live()?;
        let full = self.living.len() >= MEMBERS || self.free.is_empty();
        let comes = self.living.len() < FEWEST || (!full && self.random.happens(0.5));
        if comes && !self.free.is_empty() {
            return self.join();
        }
        let index = self.random.within(0..self.living.len() as u64) as usize;
        let mut member = self.living.swap_remove(index);
        if may_die && self.random.happens(DEATHS) {
            member.child.kill()?;
            member.child.wait()?;
            self.counts.killed += 1;
            self.free.push(member.name);
        } else {
            member.ask_to_leave()?;
            self.counts.left += 1;
            self.leaving.push((member, Instant::now()));
        }
        Ok(())
    }

    /// An error if a member has ended that nobody asked to, or has not that was.
    pub(super) fn must_live(&mut self) -> Outcome {
        for member in &mut self.living {
            if let Some(status) = member.child.try_wait()? {
                let log = log_of(&self.args, member.number);
                let (number, log) = (member.number, log.display());
                return Err(format!("member {number} ended by itself: {status}; see {log}").into());
            }
        }
        let mut left = Vec::new();
        for (index, (member, since)) in self.leaving.iter_mut().enumerate() {
            match member.child.try_wait()? {
                Some(status) if status.success() => left.push(index),
                Some(status) => {
                    let log = log_of(&self.args, member.number);
                    let (number, log) = (member.number, log.display());
                    return Err(format!("member {number} left with {status}; see {log}").into());
                }
                None if since.elapsed() > LEAVE_LIMIT => {
                    let number = member.number;
                    return Err(format!("member {number} does not end after SIGTERM").into());
                }
                None => {}
            }
        }
        for index in left.into_iter().rev() {
            self.free.push(self.leaving.swap_remove(index).0.name);
        }
        Ok(())
    }

    /// Waits for those that leave. Static members are all brought back: their partitions wait for
    /// them, not for others.
    pub(super) fn everybody_has_come_or_gone(&mut self) -> Outcome {
        while !self.leaving.is_empty() {
            self.must_live()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        while self.args.protocol == Protocol::Static && !self.free.is_empty() {
            self.join()?;
        }
        Ok(())
    }

    /// Tells everybody to leave, and waits.
    pub(super) fn end(mut self) -> Outcome<Counts> {
        for mut member in std::mem::take(&mut self.living) {
            member.ask_to_leave()?;
            self.leaving.push((member, Instant::now()));
        }
        while !self.leaving.is_empty() {
            self.must_live()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(self.counts.clone())
    }

    fn join(&mut self) -> Outcome {
        let Some(name) = self.free.pop() else { return Ok(()) };
        self.counts.started += 1;
        let number = self.counts.started;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["storm-member", "--bootstrap", &self.args.bootstrap, "--group", &self.group])
            .args(["--strategy", self.args.protocol.strategy(), "--history"])
            .arg(history_of(&self.args.dir, number))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log_of(&self.args, number))?);
        if self.args.protocol == Protocol::Static {
            command.args(["--instance", &format!("member-{name}")]);
        }
        self.living.push(Member { child: command.spawn()?, number, name });
        Ok(())
    }
}

impl Member {
    fn ask_to_leave(&mut self) -> Outcome {
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?)
    }
}

impl Drop for Churn {
    /// Nobody outlives the storm, however it ends.
    fn drop(&mut self) {
        let leaving = self.leaving.iter_mut().map(|(member, _)| member);
        for member in self.living.iter_mut().chain(leaving) {
            let _gone = member.child.kill();
            let _reaped = member.child.wait();
        }
    }
}

fn log_of(args: &StormArgs, number: usize) -> PathBuf {
    args.dir.join(format!("member-{number}.log"))
}
