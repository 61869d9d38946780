//! Each rule of the checker by the smallest history that breaks it, and ones that look like it and
//! are right.

use super::check::Kind::{self, *};
use super::*;

const HERE: Place = Place { topic: 0, partition: 0 };
const THERE: Place = Place { topic: 0, partition: 1 };

fn value(sequence: u64) -> Value {
    Value { producer: 1, sent_to: HERE, sequence }
}

fn send(sequence: u64, answer: Answer) -> Operation {
    Operation::Send { value: value(sequence), answer }
}

fn acked(sequence: u64, offset: i64) -> Operation {
    send(sequence, Answer::Acknowledged(Some(offset)))
}

fn kept(offset: i64, sequence: u64) -> Operation {
    Operation::Kept { place: HERE, offset, value: Some(value(sequence)) }
}

fn bounds(end: i64) -> Operation {
    Operation::Bounds { place: HERE, start: 0, end }
}

fn start(from: i64) -> Operation {
    Operation::Start { reader: 0, place: HERE, from: Some(from) }
}

fn read(offset: i64, sequence: u64, end: i64) -> Operation {
    let (value, end) = (Some(value(sequence)), Some(end));
    Operation::Read { reader: 0, place: HERE, offset, value, end }
}

fn span(began: u64, ended: u64) -> Span {
    Span { began, ended: Some(ended) }
}

fn commit(position: i64, span: Span) -> Operation {
    Operation::Commit { place: HERE, position, span }
}

fn position(position: i64, span: Span) -> Operation {
    Operation::Position { place: HERE, position, span }
}

fn end(end: i64, span: Span) -> Operation {
    Operation::End { place: HERE, end, span }
}

/// Three records, sent, acknowledged, read and kept.
fn good() -> Vec<Operation> {
    let mut history = vec![start(0)];
    for n in 0..3 {
        let offset = n as i64;
        history.extend([acked(n, offset), read(offset, n, 3), kept(offset, n)]);
    }
    history.push(bounds(3));
    history
}

fn kinds(history: &[Operation]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = check(history).into_iter().map(|finding| finding.kind).collect();
    kinds.dedup();
    kinds
}

#[track_caller]
fn find(history: &[Operation], wanted: &[Kind]) {
    assert_eq!(kinds(history), wanted, "{:#?}", check(history));
}

#[test]
fn a_good_history_passes() {
    find(&good(), &[]);
    find(&[], &[]);
    // Without an answer a record may be there or not, and a repetition is acknowledged without
    // its offset.
    find(&[send(0, Answer::Unknown), bounds(0)], &[]);
    find(&[send(0, Answer::Unknown), kept(0, 0), bounds(1)], &[]);
    find(&[send(0, Answer::Acknowledged(None)), kept(0, 0), bounds(1)], &[]);
}

#[test]
fn acknowledged_and_not_there_is_lost() {
    find(&[acked(0, 0), bounds(0)], &[Lost]);
    find(&[acked(0, 0), acked(1, 1), kept(0, 0), bounds(1)], &[Lost]);
}

#[test]
fn one_value_at_two_offsets_is_duplicated() {
    find(&[acked(0, 0), kept(0, 0), kept(1, 0), bounds(2)], &[Duplicated]);
}

#[test]
fn a_later_value_before_an_earlier_one_is_reordered() {
    let sent = [acked(0, 1), acked(1, 0)];
    let history = [&sent[..], &[kept(0, 1), kept(1, 0), bounds(2)]].concat();
    find(&history, &[Reordered]);
    // A repetition behind later ones is a duplicate and nothing else.
    let sent = [acked(0, 0), acked(1, 1)];
    let history = [&sent[..], &[kept(0, 0), kept(1, 1), kept(2, 0), bounds(3)]].concat();
    find(&history, &[Duplicated]);
}

#[test]
fn an_offset_that_was_given_twice_is_found() {
    let history = [acked(0, 0), acked(1, 0), kept(0, 0), kept(1, 1), bounds(2)];
    find(&history, &[TwoValues]);
    let wrong = [acked(0, 7), kept(0, 0), bounds(1)];
    find(&wrong, &[TwoValues]);
}

#[test]
fn what_nobody_sent_is_a_phantom() {
    find(&[kept(0, 0), bounds(1)], &[Phantom]);
    find(&[send(0, Answer::Failed), kept(0, 0), bounds(1)], &[Phantom]);
    let garbage = Operation::Kept { place: HERE, offset: 0, value: None };
    find(&[garbage, bounds(1)], &[Phantom]);
    let sent = send(0, Answer::Unknown);
    let elsewhere = Operation::Kept { place: THERE, offset: 0, value: Some(value(0)) };
    let bounds = Operation::Bounds { place: THERE, start: 0, end: 1 };
    find(&[sent, elsewhere, bounds], &[Phantom]);
}

#[test]
fn an_offset_without_a_record_is_a_gap() {
    find(&[acked(0, 0), acked(1, 2), kept(0, 0), kept(2, 1), bounds(3)], &[Gap]);
    find(&[acked(0, 0), kept(0, 0), bounds(2)], &[Gap]);
    find(&[acked(0, 0), kept(0, 0), bounds(0)], &[BeyondEnd]);
}

#[test]
fn readers_go_from_record_to_record() {
    let skipping = [&good()[..], &[start(0), read(0, 0, 3), read(2, 2, 3)]].concat();
    find(&skipping, &[Skipped]);
    let again = [&good()[..], &[start(0), read(0, 0, 3), read(0, 0, 3)]].concat();
    find(&again, &[Repeated]);
    let restarted = [&good()[..], &[start(1), read(1, 1, 3), start(0), read(0, 0, 3)]].concat();
    find(&restarted, &[]);
    let committed = Operation::Start { reader: 0, place: HERE, from: None };
    find(&[&good()[..], &[committed, read(2, 2, 3)]].concat(), &[]);
}

#[test]
fn what_is_read_has_to_stay() {
    let beyond = [&good()[..], &[start(2), read(2, 2, 2)]].concat();
    find(&beyond, &[BeyondEnd]);
    let unkept = [start(0), send(0, Answer::Unknown), read(0, 0, 1), bounds(0)];
    find(&unkept, &[BeyondEnd]);
    let replaced =
        [start(0), send(0, Answer::Unknown), acked(1, 0), read(0, 0, 1), kept(0, 1), bounds(1)];
    find(&replaced, &[BeyondEnd]);
}

#[test]
fn ends_only_grow() {
    find(&[end(5, span(0, 1)), end(4, span(2, 3))], &[EndBack]);
    find(&[end(5, span(0, 2)), end(4, span(1, 3))], &[]);
    find(&[end(4, span(0, 1)), end(5, span(2, 3)), end(5, span(4, 5))], &[]);
}

#[test]
fn a_position_is_what_was_committed_last() {
    let (first, second) = (commit(5, span(0, 1)), commit(9, span(2, 3)));
    let both = |asked: Operation| vec![first.clone(), second.clone(), asked];
    find(&both(position(9, span(4, 5))), &[]);
    find(&both(position(5, span(4, 5))), &[PositionBack]);
    find(&both(position(-1, span(4, 5))), &[PositionBack]);
    find(&both(position(7, span(4, 5))), &[PositionBack]);
    find(&[position(-1, span(0, 1)), commit(5, span(2, 3))], &[]);
    // While the second is under way, either may be told; so it is when its answer got lost.
    find(&[first.clone(), commit(9, span(2, 9)), position(5, span(4, 5))], &[]);
    find(&[first.clone(), commit(9, span(2, 9)), position(9, span(4, 5))], &[]);
    let unanswered = commit(9, Span { began: 2, ended: None });
    find(&[first.clone(), unanswered.clone(), position(5, span(4, 5))], &[]);
    find(&[first, unanswered, position(9, span(4, 5))], &[]);
    // Going back on purpose is right.
    find(&[commit(9, span(0, 1)), commit(5, span(2, 3)), position(5, span(4, 5))], &[]);
}

#[test]
fn a_history_can_be_kept_in_a_file() {
    let mut bytes = Vec::new();
    recorder::write(&good(), &mut bytes).expect("memory takes it");
    assert_eq!(recorder::read(&bytes[..]).expect("it is one"), good());
    assert!(recorder::read(&b"{}\n"[..]).is_err());
}
