//! A witness beside the clients: reads the tail of every log past the proxy, with the end that the
//! same answer tells, and asks for the group's positions over and over.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::{Field, GROUP, payload};
use crate::Outcome;
use crate::history::{Operation, Place, Span};
use crate::wire::{EARLIEST, Fetched, LATEST, Wire};

/// The witness's number among the readers.
const READER: u16 = 0;
/// How long a fetch waits for records.
const WAIT: Duration = Duration::from_millis(15);
/// How often it asks for positions and ends.
const ASK_EVERY: Duration = Duration::from_millis(60);
/// Between two tries to reach a broker that is away.
const AWAY: Duration = Duration::from_millis(3);
const OUT_OF_RANGE: i16 = 1;

/// Watches until it is told to stop.
pub(super) fn run(field: &Field) -> Outcome {
    let mut next = vec![vec![0; field.plan.partitions.into()]; field.plan.topics.into()];
    field.recorder.record(field.places().map(|place| Operation::Start {
        reader: READER,
        place,
        from: Some(0),
    }));
    while !field.stop_readers.load(Ordering::SeqCst) {
        let Ok(mut wire) = Wire::connect(field.plan.broker) else {
            thread::sleep(AWAY);
            continue;
        };
        // Ends with an error when the broker is killed, which is no news.
        let _away = watch(field, &mut wire, &mut next);
        thread::sleep(AWAY);
    }
    Ok(())
}

fn watch(field: &Field, wire: &mut Wire, next: &mut [Vec<i64>]) -> Outcome {
    let mut asked: Option<Instant> = None;
    while !field.stop_readers.load(Ordering::SeqCst) {
        if asked.is_none_or(|asked| asked.elapsed() > ASK_EVERY) {
            ask(field, wire)?;
            asked = Some(Instant::now());
        }
        for (topic, next) in (0..).zip(next.iter_mut()) {
            let began = field.recorder.now();
            let fetched = wire.fetch(&field.topic(topic), next, WAIT)?;
            let span = Span { began, ended: Some(field.recorder.now()) };
            for found in fetched {
                let partition = u16::try_from(found.partition)?;
                let place = Place { topic, partition };
                take_down(field, place, span, &found, &mut next[usize::from(partition)]);
            }
        }
    }
    Ok(())
}

fn take_down(field: &Field, place: Place, span: Span, found: &Fetched, next: &mut i64) {
    let end = found.high_watermark;
    if found.error == OUT_OF_RANGE && end >= 0 {
        // The log ends before what was read of it: said as an end, and gone on from there.
        let start = Operation::Start { reader: READER, place, from: Some(end) };
        field.recorder.record([Operation::End { place, end, span }, start]);
        *next = end;
        return;
    }
    if found.error != 0 {
        return;
    }
    field.recorder.record([Operation::End { place, end, span }]);
    field.recorder.record(found.records.iter().map(|(offset, bytes)| Operation::Read {
        reader: READER,
        place,
        offset: *offset,
        value: payload::read(field.plan.seed, bytes),
        end: field.plan.strict_end.then_some(end),
    }));
    if let Some((last, _)) = found.records.last() {
        *next = last + 1;
    }
}

fn ask(field: &Field, wire: &mut Wire) -> Outcome {
    for topic in 0..field.plan.topics {
        let name = field.topic(topic);
        let began = field.recorder.now();
        let ends = wire.offsets(&name, field.plan.partitions, LATEST)?;
        let span = Span { began, ended: Some(field.recorder.now()) };
        field.recorder.record((0..).zip(ends).map(|(partition, end)| Operation::End {
            place: Place { topic, partition },
            end,
            span,
        }));
        let began = field.recorder.now();
        // Kafka takes a while to load a group: until then it says so instead of an answer.
        let Ok(positions) = wire.positions(GROUP, &name, field.plan.partitions) else { continue };
        let span = Span { began, ended: Some(field.recorder.now()) };
        field.recorder.record((0..).zip(positions).map(|(partition, position)| {
            Operation::Position { place: Place { topic, partition }, position, span }
        }));
    }
    Ok(())
}

/// The first and the next offset of each partition of a topic.
pub(super) fn bounds(field: &Field, wire: &mut Wire, topic: &str) -> Outcome<Vec<(i64, i64)>> {
    let starts = wire.offsets(topic, field.plan.partitions, EARLIEST)?;
    let ends = wire.offsets(topic, field.plan.partitions, LATEST)?;
    Ok(starts.into_iter().zip(ends).collect())
}
