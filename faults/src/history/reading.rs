//! What readers were given on the way, held against what the log holds in the end.

use std::collections::HashMap;

use super::check::{Finding, Kind, Ordered, strange};
use super::{Answer, Operation, Place, Span, Value};

/// Checks reads and the ends of logs.
pub(super) fn check(history: &[Operation], ordered: &Ordered, findings: &mut Vec<Finding>) {
    // Where each reader is to go on; absent right after a start from a committed position.
    let mut next: HashMap<(u16, Place), i64> = HashMap::new();
    let mut ends: HashMap<Place, Vec<(Span, i64)>> = HashMap::new();
    for operation in history {
        match *operation {
            Operation::Start { reader, place, from } => {
                match from {
                    Some(from) => next.insert((reader, place), from),
                    None => next.remove(&(reader, place)),
                };
            }
            Operation::Read { reader, place, offset, value, end } => {
                let add =
                    |kind: Kind, what: String| Finding { kind, place, offset: Some(offset), what };
                if let Some(wanted) = next.insert((reader, place), offset + 1) {
                    findings.extend(
                        jumped(ordered, place, wanted, offset)
                            .map(|(kind, what)| add(kind, format!("reader {reader} {what}"))),
                    );
                }
                if end.is_some_and(|end| offset >= end) {
                    let what = format!("the same answer said that the log ends at {end:?}");
                    findings.push(add(Kind::BeyondEnd, what));
                }
                findings.extend(
                    untrue(ordered, place, offset, value).map(|(kind, what)| add(kind, what)),
                );
            }
            Operation::End { place, end, span } => {
                ends.entry(place).or_default().push((span, end));
            }
            _ => {}
        }
    }
    for (place, mut ends) in ends {
        went_back(place, &mut ends, findings);
    }
}

/// Whether a reader that wanted one offset was given another for no good reason.
fn jumped(ordered: &Ordered, place: Place, wanted: i64, got: i64) -> Option<(Kind, String)> {
    if got < wanted {
        return Some((Kind::Repeated, format!("wanted {wanted}")));
    }
    let between = ordered.logs.get(&place)?.records.range(wanted..got).count();
    (between > 0).then(|| (Kind::Skipped, format!("wanted {wanted}, {between} lie between")))
}

/// Whether a record that was read is not what the log holds there in the end.
fn untrue(
    ordered: &Ordered,
    place: Place,
    offset: i64,
    value: Option<Value>,
) -> Option<(Kind, String)> {
    let log = ordered.logs.get(&place)?;
    let kept = log.records.get(&offset);
    if offset < log.start || kept == Some(&value) {
        return None;
    }
    if let Some(what) = strange(place, value, ordered) {
        return Some((Kind::Phantom, what));
    }
    let answer = value.and_then(|value| ordered.sent.get(&value));
    let what = format!("{value:?} was read, {kept:?} is there");
    match (kept, answer) {
        (Some(_), Some(Answer::Acknowledged(Some(told)))) if *told == offset => {
            Some((Kind::TwoValues, what))
        }
        _ => Some((Kind::BeyondEnd, what)),
    }
}

/// Ends that were told one after the other may only grow.
fn went_back(place: Place, ends: &mut [(Span, i64)], findings: &mut Vec<Finding>) {
    let mut finished: Vec<(u64, i64)> =
        ends.iter().filter_map(|(span, end)| Some((span.ended?, *end))).collect();
    finished.sort_unstable();
    ends.sort_unstable_by_key(|(span, _)| span.began);
    let mut finished = finished.into_iter().peekable();
    let mut most = i64::MIN;
    for (span, end) in ends {
        while let Some((_, earlier)) = finished.next_if(|(ended, _)| *ended < span.began) {
            most = most.max(earlier);
        }
        if *end < most {
            let what = format!("it was {most} before");
            findings.push(Finding { kind: Kind::EndBack, place, offset: Some(*end), what });
        }
    }
}
