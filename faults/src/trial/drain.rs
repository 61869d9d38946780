//! The calm after: the group reads up to the end, and every log is read as a whole.

use std::thread;
use std::time::{Duration, Instant};

use super::{CALM_LIMIT, Field, GROUP, payload, witness};
use crate::Outcome;
use crate::history::{Operation, Place};
use crate::wire::Wire;

const ASK_EVERY: Duration = Duration::from_millis(50);
/// A reader that is given nothing so often in a row has come to what can be read.
const EMPTY_FETCHES: u32 = 20;

/// Whether the group's positions reach the ends of all logs in time.
pub(super) fn group_catches_up(field: &Field) -> Outcome<bool> {
    if field.plan.consumers == 0 {
        return Ok(true);
    }
    let deadline = Instant::now() + CALM_LIMIT;
    while Instant::now() < deadline {
        if at_the_ends(field).unwrap_or(false) {
            return Ok(true);
        }
        thread::sleep(ASK_EVERY);
    }
    Ok(false)
}

fn at_the_ends(field: &Field) -> Outcome<bool> {
    let mut wire = Wire::connect(field.plan.broker)?;
    for topic in 0..field.plan.topics {
        let name = field.topic(topic);
        let bounds = witness::bounds(field, &mut wire, &name)?;
        let positions = wire.positions(GROUP, &name, field.plan.partitions)?;
        // A log without records has no position.
        if bounds.iter().zip(positions).any(|((start, end), at)| end > start && at < *end) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes down what the logs hold.
pub(super) fn keep(field: &Field) -> Outcome {
    let mut wire = Wire::connect(field.plan.broker)?;
    for topic in 0..field.plan.topics {
        let name = field.topic(topic);
        let bounds = witness::bounds(field, &mut wire, &name)?;
        field.recorder.record((0..).zip(&bounds).map(|(partition, &(start, end))| {
            Operation::Bounds { place: Place { topic, partition }, start, end }
        }));
        let mut next: Vec<i64> = bounds.iter().map(|(start, _)| *start).collect();
        let mut empty = 0;
        while empty < EMPTY_FETCHES && next.iter().zip(&bounds).any(|(next, (_, end))| next < end) {
            empty += 1;
            for found in wire.fetch(&name, &next, Duration::from_millis(100))? {
                let partition = u16::try_from(found.partition)?;
                let place = Place { topic, partition };
                field.recorder.record(found.records.iter().map(|(offset, bytes)| {
                    let value = payload::read(field.plan.seed, bytes);
                    Operation::Kept { place, offset: *offset, value }
                }));
                if let Some((last, _)) = found.records.last() {
                    next[usize::from(partition)] = last + 1;
                    empty = 0;
                }
            }
        }
    }
    Ok(())
}
