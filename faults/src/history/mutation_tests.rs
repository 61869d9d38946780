//! Any history that a right broker makes passes; any single mutation of it is found.

use proptest::prelude::*;

use super::check::Kind;
use super::*;
use crate::random::Random;

/// What a right broker would have answered, by a seed.
fn generated(seed: u64, count: usize) -> Vec<Operation> {
    let mut random = Random::new(seed, 0);
    let mut ends: std::collections::HashMap<Place, i64> = std::collections::HashMap::new();
    let mut sequences: std::collections::HashMap<(u16, Place), u64> =
        std::collections::HashMap::new();
    let (mut history, mut kept, mut now) = (Vec::new(), Vec::new(), 0);
    for _ in 0..count {
        let place =
            Place { topic: random.within(0..2) as u16, partition: random.within(0..2) as u16 };
        let producer = random.within(0..3) as u16;
        let sequence = sequences.entry((producer, place)).or_insert(0);
        let value = Value { producer, sent_to: place, sequence: *sequence };
        *sequence += 1;
        let end = ends.entry(place).or_insert(0);
        let answer = match random.within(0..10) {
            0 => Answer::Failed,
            1 => Answer::Unknown,
            2 => Answer::Acknowledged(None),
            _ => Answer::Acknowledged(Some(*end)),
        };
        history.push(Operation::Send { value, answer });
        if answer == Answer::Failed || (answer == Answer::Unknown && random.happens(0.5)) {
            continue;
        }
        let offset = *end;
        *end += 1;
        kept.push(Operation::Kept { place, offset, value: Some(value) });
        if offset == 0 {
            history.push(Operation::Start { reader: 0, place, from: Some(0) });
        }
        let (value, told) = (Some(value), Some(*end));
        history.push(Operation::Read { reader: 0, place, offset, value, end: told });
        let span = Span { began: now, ended: Some(now + 1) };
        history.push(Operation::End { place, end: *end, span });
        history.push(Operation::Commit { place, position: *end, span });
        let span = Span { began: now + 2, ended: Some(now + 3) };
        history.push(Operation::Position { place, position: *end, span });
        now += 4;
    }
    history.extend(kept);
    history.extend(ends.iter().map(|(&place, &end)| Operation::Bounds { place, start: 0, end }));
    history
}

fn kinds(history: &[Operation]) -> Vec<Kind> {
    check(history).into_iter().map(|finding| finding.kind).collect()
}

/// The indexes of the operations for which `fits` holds.
fn those(history: &[Operation], fits: impl Fn(&Operation) -> bool) -> Vec<usize> {
    (0..history.len()).filter(|&at| fits(&history[at])).collect()
}

fn is_acked_at(operation: &Operation, wanted: Value) -> bool {
    let Operation::Send { value, answer: Answer::Acknowledged(_) } = operation else {
        return false;
    };
    *value == wanted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_right_broker_does_passes(seed: u64, count in 1usize..200) {
        prop_assert_eq!(kinds(&generated(seed, count)), vec![]);
    }

    #[test]
    fn a_record_taken_out_of_the_log_is_found(seed: u64, pick: prop::sample::Index) {
        let mut history = generated(seed, 60);
        let kept = those(&history, |o| matches!(o, Operation::Kept { .. }));
        prop_assume!(!kept.is_empty());
        let taken = history.remove(kept[pick.index(kept.len())]);
        let Operation::Kept { value: Some(value), .. } = taken else { unreachable!() };
        let found = kinds(&history);
        prop_assert!(found.contains(&Kind::Gap));
        let acked = history.iter().any(|o| is_acked_at(o, value));
        prop_assert_eq!(found.contains(&Kind::Lost), acked);
    }

    #[test]
    fn a_record_put_in_twice_is_found(seed: u64, pick: prop::sample::Index) {
        let mut history = generated(seed, 60);
        let kept = those(&history, |o| matches!(o, Operation::Kept { .. }));
        prop_assume!(!kept.is_empty());
        let chosen = history[kept[pick.index(kept.len())]].clone();
        let Operation::Kept { place, value, .. } = chosen else { unreachable!() };
        for operation in &mut history {
            if let Operation::Bounds { place: at, end, .. } = operation && *at == place {
                *end += 1;
            }
        }
        let offset = history.iter().filter(
            |o| matches!(o, Operation::Kept { place: at, .. } if *at == place)).count() as i64;
        history.push(Operation::Kept { place, offset, value });
        prop_assert_eq!(kinds(&history), vec![Kind::Duplicated]);
    }

    #[test]
    fn a_read_that_is_left_out_is_found(seed: u64, pick: prop::sample::Index) {
        let mut history = generated(seed, 60);
        let reads = those(&history, |o| matches!(o, Operation::Read { .. }));
        prop_assume!(!reads.is_empty());
        let Operation::Read { place, offset, .. } = history.remove(reads[pick.index(reads.len())])
        else { unreachable!() };
        let later = history.iter().any(|o| matches!(
            o, Operation::Read { place: at, offset: o, .. } if *at == place && *o > offset));
        prop_assert_eq!(kinds(&history), if later { vec![Kind::Skipped] } else { vec![] });
    }

    #[test]
    fn a_position_that_was_there_before_is_found(seed: u64, pick: prop::sample::Index) {
        let mut history = generated(seed, 60);
        let told = those(&history, |o| matches!(o, Operation::Position { .. }));
        prop_assume!(!told.is_empty());
        if let Operation::Position { position, .. } = &mut history[told[pick.index(told.len())]] {
            *position -= 1;
        }
        prop_assert_eq!(kinds(&history), vec![Kind::PositionBack]);
    }

    #[test]
    fn two_records_that_changed_places_are_found(seed: u64, pick: prop::sample::Index) {
        let mut history = generated(seed, 60);
        let pairs: Vec<(usize, usize)> = those(&history, |o| matches!(o, Operation::Kept { .. }))
            .windows(2).map(|pair| (pair[0], pair[1])).collect();
        prop_assume!(!pairs.is_empty());
        let (one, two) = pairs[pick.index(pairs.len())];
        let (Operation::Kept { value: a, .. }, Operation::Kept { value: b, .. }) =
            (history[one].clone(), history[two].clone()) else { unreachable!() };
        for (at, with) in [(one, b), (two, a)] {
            if let Operation::Kept { value, .. } = &mut history[at] {
                *value = with;
            }
        }
        prop_assert!(!kinds(&history).is_empty());
    }
}
