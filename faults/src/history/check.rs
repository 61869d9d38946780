//! The checker: reads a history and says what the broker did wrong. It knows no broker.
//!
//! Truth is what the log holds after everything (`Kept`). What was acknowledged and what was read
//! on the way is held against it. Time is O(n log n) in the operations.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use super::{Answer, Operation, Place, Value, positions, reading};

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A value that was acknowledged is not in the log.
    Lost,
    /// A value is in the log more than once.
    Duplicated,
    /// Values of one producer are not in the order in which it sent them.
    Reordered,
    /// One offset was said to hold two values.
    TwoValues,
    /// A value that nobody sent, or that was sent elsewhere or definitely refused.
    Phantom,
    /// The log has an offset without a record.
    Gap,
    /// A reader was led past records that are there.
    Skipped,
    /// A reader was given records again without asking.
    Repeated,
    /// A reader was given what was not yet, or not for good, in the log.
    BeyondEnd,
    /// The end of a log went back.
    EndBack,
    /// A group's position went back, or is one that nobody committed.
    PositionBack,
}

impl Kind {
    /// Every kind, in the order of a report.
    pub const ALL: [Kind; 11] = [
        Kind::Lost,
        Kind::Duplicated,
        Kind::Reordered,
        Kind::TwoValues,
        Kind::Phantom,
        Kind::Gap,
        Kind::Skipped,
        Kind::Repeated,
        Kind::BeyondEnd,
        Kind::EndBack,
        Kind::PositionBack,
    ];

    /// As it stands in a report.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Lost => "acknowledged lost",
            Kind::Duplicated => "duplicated",
            Kind::Reordered => "reordered",
            Kind::TwoValues => "two values at one offset",
            Kind::Phantom => "never sent",
            Kind::Gap => "gaps",
            Kind::Skipped => "skipped by a reader",
            Kind::Repeated => "repeated to a reader",
            Kind::BeyondEnd => "read beyond the end",
            Kind::EndBack => "end of a log went back",
            Kind::PositionBack => "group offset went back",
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// In which partition.
    pub place: Place,
    /// At which offset, if that says anything.
    pub offset: Option<i64>,
    /// The story in a few words.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: topic {}[{}]", self.kind.name(), self.place.topic, self.place.partition)?;
        if let Some(offset) = self.offset {
            write!(f, " at {offset}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What the log of one place holds after everything.
#[derive(Debug, Default)]
pub(super) struct KeptLog {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) records: BTreeMap<i64, Option<Value>>,
}

/// A history, put in order.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    pub(super) logs: HashMap<Place, KeptLog>,
    pub(super) sent: HashMap<Value, Answer>,
    /// Where the log holds each value.
    pub(super) found: HashMap<Value, Vec<(Place, i64)>>,
}

/// Everything that is wrong with a history.
pub fn check(history: &[Operation]) -> Vec<Finding> {
    let ordered = order(history);
    let mut findings = Vec::new();
    for (place, log) in &ordered.logs {
        gaps(*place, log, &mut findings);
        strangers(*place, log, &ordered, &mut findings);
        orders(*place, log, &mut findings);
    }
    acknowledged(&ordered, &mut findings);
    reading::check(history, &ordered, &mut findings);
    positions::check(history, &mut findings);
    findings.sort_by_key(|finding| (finding.kind, finding.place, finding.offset));
    findings
}

/// How often each kind was found.
pub fn count(findings: &[Finding]) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.kind).or_default() += 1;
    }
    counts
}

fn order(history: &[Operation]) -> Ordered {
    let mut ordered = Ordered::default();
    for operation in history {
        match *operation {
            Operation::Send { value, answer } => {
                ordered.sent.insert(value, answer);
            }
            Operation::Kept { place, offset, value } => {
                ordered.logs.entry(place).or_default().records.insert(offset, value);
                if let Some(value) = value {
                    ordered.found.entry(value).or_default().push((place, offset));
                }
            }
            Operation::Bounds { place, start, end } => {
                let log = ordered.logs.entry(place).or_default();
                (log.start, log.end) = (start, end);
            }
            _ => {}
        }
    }
    ordered
}

/// Nothing in a run deletes: every offset between the bounds has its record, and none is outside.
fn gaps(place: Place, log: &KeptLog, findings: &mut Vec<Finding>) {
    let mut next = log.start;
    for &offset in log.records.keys().chain([&log.end]) {
        if offset > next {
            let what = format!("no record up to {}", offset - 1);
            findings.push(Finding { kind: Kind::Gap, place, offset: Some(next), what });
        }
        next = next.max(offset + 1);
    }
    for (&offset, _) in log.records.range(log.end..) {
        let what = format!("the log was said to end at {}", log.end);
        findings.push(Finding { kind: Kind::BeyondEnd, place, offset: Some(offset), what });
    }
}

fn strangers(place: Place, log: &KeptLog, ordered: &Ordered, findings: &mut Vec<Finding>) {
    for (&offset, value) in &log.records {
        if let Some(what) = strange(place, *value, ordered) {
            findings.push(Finding { kind: Kind::Phantom, place, offset: Some(offset), what });
        }
    }
}

/// Why no producer can have put a value there.
pub(super) fn strange(place: Place, value: Option<Value>, ordered: &Ordered) -> Option<String> {
    let Some(value) = value else { return Some("bytes that no producer sent".to_owned()) };
    match ordered.sent.get(&value) {
        None => Some(format!("nobody sent {value:?}")),
        Some(Answer::Failed) => Some(format!("{value:?} was refused")),
        Some(_) if value.sent_to != place => Some(format!("{value:?} was sent elsewhere")),
        Some(_) => None,
    }
}

/// Per producer, values lie in the order of their numbers; a repetition is counted where it
/// belongs, as a duplicate.
fn orders(place: Place, log: &KeptLog, findings: &mut Vec<Finding>) {
    let mut last: HashMap<u16, u64> = HashMap::new();
    let mut seen = HashSet::new();
    for (&offset, value) in &log.records {
        let Some(value) = value.filter(|value| value.sent_to == place) else { continue };
        if !seen.insert(value) {
            continue;
        }
        let before = last.entry(value.producer).or_insert(value.sequence);
        if value.sequence < *before {
            let (producer, sequence) = (value.producer, value.sequence);
            let what = format!("{sequence} of producer {producer} stands behind its {before}");
            findings.push(Finding { kind: Kind::Reordered, place, offset: Some(offset), what });
        }
        *before = value.sequence.max(*before);
    }
}

/// What producers were told, held against the log.
fn acknowledged(ordered: &Ordered, findings: &mut Vec<Finding>) {
    let mut told: HashMap<(Place, i64), Value> = HashMap::new();
    for (&value, &answer) in &ordered.sent {
        let Answer::Acknowledged(offset) = answer else { continue };
        let place = value.sent_to;
        let found = ordered.found.get(&value).map_or(&[][..], Vec::as_slice);
        if found.iter().all(|(at, _)| *at != place) {
            let what = format!("{value:?} was acknowledged");
            findings.push(Finding { kind: Kind::Lost, place, offset, what });
        }
        let Some(offset) = offset else { continue };
        let elsewhere = !found.is_empty() && !found.contains(&(place, offset));
        if let Some(other) = told.insert((place, offset), value) {
            let what = format!("{value:?} and {other:?} were both acknowledged there");
            findings.push(Finding { kind: Kind::TwoValues, place, offset: Some(offset), what });
        } else if elsewhere {
            let what = format!("{value:?} was acknowledged there and lies at {found:?}");
            findings.push(Finding { kind: Kind::TwoValues, place, offset: Some(offset), what });
        }
    }
    for (value, found) in ordered.found.iter().filter(|(_, found)| found.len() > 1) {
        let (place, offset) = found[1];
        let what = format!("{value:?} lies at {found:?}");
        findings.push(Finding { kind: Kind::Duplicated, place, offset: Some(offset), what });
    }
}
