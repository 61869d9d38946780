//! A group's position in a partition is a register: reading it gives what was written last.
//!
//! An answer is right if some commit of that position may have been the last one to take effect:
//! it began before the answer came, and no commit that was acknowledged before the question began
//! only after it had ended. A commit without an answer may take effect at any time.

use std::collections::HashMap;

use super::check::{Finding, Kind};
use super::{Operation, Place, Span};

#[derive(Debug, Default)]
struct Register {
    commits: Vec<(Span, i64)>,
    answers: Vec<(Span, i64)>,
}

/// Checks what brokers said of committed positions.
pub(super) fn check(history: &[Operation], findings: &mut Vec<Finding>) {
    let mut registers: HashMap<Place, Register> = HashMap::new();
    for operation in history {
        match *operation {
            Operation::Commit { place, position, span } => {
                registers.entry(place).or_default().commits.push((span, position));
            }
            Operation::Position { place, position, span } => {
                registers.entry(place).or_default().answers.push((span, position));
            }
            _ => {}
        }
    }
    for (place, register) in registers {
        check_one(place, register, findings);
    }
}

fn check_one(place: Place, mut register: Register, findings: &mut Vec<Finding>) {
    let mut by_position: HashMap<i64, Vec<Span>> = HashMap::new();
    for (span, position) in &register.commits {
        by_position.entry(*position).or_default().push(*span);
    }
    // In the order in which they were acknowledged, the latest beginning and highest so far.
    let mut acknowledged: Vec<(u64, u64, i64)> = register
        .commits
        .iter()
        .filter_map(|(span, position)| Some((span.ended?, span.began, *position)))
        .collect();
    acknowledged.sort_unstable();
    let mut acknowledged = acknowledged.into_iter().peekable();
    register.answers.sort_unstable_by_key(|(span, _)| span.began);
    let (mut latest, mut highest) = (None, -1);
    for (span, position) in register.answers {
        while let Some((_, began, committed)) =
            acknowledged.next_if(|(ended, _, _)| *ended < span.began)
        {
            latest = latest.max(Some(began));
            highest = highest.max(committed);
        }
        let overwritten = |commit: &Span| match (commit.ended, latest) {
            (Some(ended), Some(latest)) => ended < latest,
            _ => false,
        };
        let asked_until = span.ended.unwrap_or(u64::MAX);
        let possible = |commit: &Span| commit.began < asked_until && !overwritten(commit);
        let commits = by_position.get(&position).map_or(&[][..], Vec::as_slice);
        let untouched = position == -1 && latest.is_none();
        if !untouched && !commits.iter().any(possible) {
            let what = match (commits.is_empty(), position < highest) {
                (_, true) => format!("{highest} was committed before"),
                (true, _) => "nobody committed that".to_owned(),
                (false, false) => "it was overwritten before".to_owned(),
            };
            let (kind, offset) = (Kind::PositionBack, Some(position));
            findings.push(Finding { kind, place, offset, what });
        }
    }
}
