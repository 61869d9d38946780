//! What a trial has to say: rows of `name value goal`, and the findings one by one.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Field;
use crate::Outcome;
use crate::history::{Finding, Kind, Operation, check, recorder};
use crate::proxy::{Fault, Proxy};

/// The most findings that are printed; the history in its file has all of them.
const SHOWN: usize = 20;

/// The outcome of one trial.
#[derive(Debug)]
pub struct Report {
    /// What the broker did wrong.
    pub findings: Vec<Finding>,
    /// How long each restart took until a client was answered.
    pub ready: Vec<Duration>,
    /// Records that were acknowledged.
    pub acknowledged: u64,
    /// Records that were never answered, or with an error.
    pub unanswered: u64,
    /// Records that readers were given while it ran.
    pub read: usize,
    /// Commits that were acknowledged.
    pub commits: usize,
    /// How often each fault was done.
    pub faults: Vec<(&'static str, u64)>,
    /// Whether the group had read everything in the end.
    pub caught_up: bool,
}

impl Report {
    pub(super) fn new(
        field: &Field,
        history: &[Operation],
        findings: Vec<Finding>,
        ready: Vec<Duration>,
        proxy: Option<&Proxy>,
        caught_up: bool,
    ) -> Report {
        let count = |fits: fn(&Operation) -> bool| history.iter().filter(|o| fits(o)).count();
        let told = |fault: Fault| Some((fault.name(), proxy?.counts().of(fault)));
        Report {
            findings,
            ready,
            acknowledged: field.acknowledged.load(Ordering::Relaxed),
            unanswered: field.unanswered.load(Ordering::Relaxed),
            read: count(|o| matches!(o, Operation::Read { .. })),
            commits: count(|o| matches!(o, Operation::Commit { span, .. } if span.ended.is_some())),
            faults: Fault::ALL.into_iter().filter_map(told).collect(),
            caught_up,
        }
    }

    /// Whether the broker did nothing wrong and everything came through in the end.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty() && self.unanswered == 0 && self.caught_up
    }

    /// How long the slowest restarts took.
    pub fn ready_p99(&self) -> Duration {
        percentile(&self.ready, 0.99)
    }

    /// Writes the history down if it is needed to find out what happened.
    pub(super) fn keep(&self, history: &[Operation], path: Option<&Path>) -> Outcome {
        match path {
            Some(path) if !self.is_good() => {
                recorder::write(history, &mut BufWriter::new(File::create(path)?))
            }
            _ => Ok(()),
        }
    }

    /// The rows, and the first findings.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut row = |name: &str, value: String, goal: &str| {
            lines.push(format!("{name:<34} {value:>12}   {goal}"));
        };
        row("acknowledged", self.acknowledged.to_string(), "");
        row("without an answer", self.unanswered.to_string(), "0");
        row("read on the way", self.read.to_string(), "");
        row("commits acknowledged", self.commits.to_string(), "");
        for (name, count) in &self.faults {
            row(&format!("proxy: {name}"), count.to_string(), "");
        }
        if !self.ready.is_empty() {
            row("kills", self.ready.len().to_string(), "");
            for (name, share) in [("ready again p50", 0.5), ("ready again p99", 0.99)] {
                row(name, format!("{:.1} ms", millis(percentile(&self.ready, share))), "1000 ms");
            }
        }
        let counts = check::count(&self.findings);
        for kind in Kind::ALL {
            let count = counts.get(&kind).copied().unwrap_or(0);
            row(kind.name(), count.to_string(), "0");
        }
        row("group has read everything", self.caught_up.to_string(), "true");
        lines.extend(self.findings.iter().take(SHOWN).map(|finding| format!("  {finding}")));
        lines
    }
}

fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
