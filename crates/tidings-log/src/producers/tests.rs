//! The producers' state machine against hand-made cases and a model that remembers everything.

use proptest::prelude::*;

use super::*;

fn batch(epoch: i16, first: i32, count: i32) -> Sequenced {
    Sequenced { producer_id: 7, epoch, first, last: sequence_after(first, count - 1) }
}

/// Appends batches at growing offsets and returns the verdict of the last one.
fn after(history: &[Sequenced], last: Sequenced) -> Result<Verdict, SequenceError> {
    let mut producers = Producers::new();
    let mut end = Offset::ZERO;
    for batch in history {
        assert_eq!(producers.check(batch), Ok(Verdict::New), "{batch:?} of the history");
        producers.record(batch, end, Some(0));
        let count = i64::from(batch.last) - i64::from(batch.first);
        end = end.plus(count.rem_euclid(SEQUENCES) + 1);
    }
    producers.check(&last)
}

#[test]
fn verdicts() {
    use SequenceError::{Duplicate, OldEpoch, OutOfOrder};
    let five = [0, 10, 20, 30, 40].map(|first| batch(0, first, 10));
    let six = [0, 10, 20, 30, 40, 50].map(|first| batch(0, first, 10));
    let again = |base, last| {
        Ok(Verdict::Duplicate { base_offset: Offset(base), last_offset: Offset(last) })
    };
    let max = i32::MAX;
    type Case<'a> = (&'a str, &'a [Sequenced], Sequenced, Result<Verdict, SequenceError>);
    let cases: &[Case<'_>] = &[
        ("unknown producer", &[], batch(0, 0, 1), Ok(Verdict::New)),
        ("unknown producer, any sequence", &[], batch(3, 99, 1), Ok(Verdict::New)),
        ("next", &five, batch(0, 50, 1), Ok(Verdict::New)),
        ("newest again", &five, batch(0, 40, 10), again(40, 49)),
        ("fifth newest again", &five, batch(0, 0, 10), again(0, 9)),
        ("sixth newest again", &six, batch(0, 0, 10), Err(Duplicate { found: 0 })),
        ("gap", &five, batch(0, 51, 1), Err(OutOfOrder { expected: 50, found: 51 })),
        ("overlap", &five, batch(0, 45, 10), Err(OutOfOrder { expected: 50, found: 45 })),
        ("part of an old one", &five, batch(0, 40, 3), Err(Duplicate { found: 40 })),
        ("old epoch", &[batch(2, 0, 1)], batch(1, 1, 1), Err(OldEpoch { current: 2, found: 1 })),
        ("new epoch at 0", &five, batch(1, 0, 5), Ok(Verdict::New)),
        ("new epoch, later", &five, batch(1, 5, 5), Err(OutOfOrder { expected: 0, found: 5 })),
        ("wrap within", &[batch(0, max - 1, 4)], batch(0, 2, 1), Ok(Verdict::New)),
        ("wrap between", &[batch(0, max - 3, 4)], batch(0, 0, 1), Ok(Verdict::New)),
        ("wrapped one again", &[batch(0, max - 1, 4)], batch(0, max - 1, 4), again(0, 3)),
        ("gap at wrap", &[batch(0, max, 1)], batch(0, 1, 1), {
            Err(OutOfOrder { expected: 0, found: 1 })
        }),
    ];
    for (name, history, last, expected) in cases {
        assert_eq!(after(history, *last), *expected, "{name}");
    }
}

#[test]
fn silent_producers_are_forgotten_and_replayed_ones_get_their_time() {
    let mut producers = Producers::new();
    producers.record(&Sequenced { producer_id: 1, ..batch(0, 0, 1) }, Offset(0), Some(1_000));
    producers.record(&Sequenced { producer_id: 2, ..batch(0, 0, 1) }, Offset(1), None);
    producers.expire(10_000, 9_000, 100);
    assert!(producers.find(1).is_none() && producers.find(2).is_some());
    producers.expire(18_999, 9_000, 100);
    assert!(producers.find(2).is_some());
    producers.expire(19_000, 9_000, 100);
    assert!(producers.is_empty());
}

#[test]
fn beyond_the_limit_the_longest_silent_one_goes() {
    let mut producers = Producers::new();
    for id in 0..5 {
        let batch = Sequenced { producer_id: id, ..batch(0, 0, 1) };
        producers.record(&batch, Offset(id), Some(100 - id));
    }
    producers.limit(2);
    let left: Vec<bool> = (0..5).map(|id| producers.find(id).is_some()).collect();
    assert_eq!(left, [true, true, false, false, false]);
}

proptest! {
    /// Any history that a producer can send, with repeats, gaps and epochs: what is accepted runs
    /// without gap or double, and a repeat of the last five is answered with its own offsets.
    #[test]
    fn accepted_batches_form_one_unbroken_sequence(
        start in prop_oneof![Just(0), Just(i32::MAX - 20), 0..i32::MAX],
        steps in prop::collection::vec((0..8i32, 1..5i32, 0..20u8), 1..60),
    ) {
        let mut producers = Producers::new();
        let (mut epoch, mut next) = (0i16, start);
        let mut end = Offset::ZERO;
        let mut accepted: Vec<(Sequenced, Offset)> = Vec::new();
        for (back, count, kind) in steps {
            let sent = match kind {
                0 => { epoch += 1; next = 0; batch(epoch, 0, count) }
                1 => batch(epoch, sequence_after(next, 1 + back), count),
                2..=6 if accepted.len() > back as usize =>
                    accepted[accepted.len() - 1 - back as usize].0,
                _ => batch(epoch, next, count),
            };
            let of_epoch = accepted.iter().rev().filter(|(b, _)| b.epoch == epoch);
            let recent = of_epoch.take(5).find(|(b, _)| *b == sent);
            match producers.check(&sent) {
                Ok(Verdict::New) => {
                    let fresh = accepted.iter().all(|(b, _)| b.epoch < sent.epoch);
                    let expected = if fresh && epoch > 0 { 0 } else { next };
                    prop_assert!(sent.first == expected || accepted.is_empty());
                    producers.record(&sent, end, Some(0));
                    accepted.push((sent, end));
                    next = sequence_after(sent.last, 1);
                    end = end.plus(i64::from(sequence_after(sent.last, 1) - sent.first)
                        .rem_euclid(SEQUENCES));
                }
                Ok(Verdict::Duplicate { base_offset, .. }) => {
                    prop_assert_eq!(Some(base_offset), recent.map(|(_, at)| *at));
                }
                Err(SequenceError::OldEpoch { .. }) => prop_assert!(sent.epoch < epoch),
                Err(_) => prop_assert!(recent.is_none() && sent.first != next),
            }
        }
    }

    #[test]
    fn a_snapshot_is_read_back_and_damage_is_found(
        sent in prop::collection::vec((0..20i64, 0..3i16, 0..i32::MAX, 1..9i32), 0..60),
        at in 0..i64::MAX,
        flip in any::<prop::sample::Index>(),
    ) {
        let mut producers = Producers::new();
        for (n, (producer_id, epoch, first, count)) in sent.into_iter().enumerate() {
            let batch = Sequenced { producer_id, ..batch(epoch, first, count) };
            producers.record(&batch, Offset(n as i64), (n % 2 == 0).then_some(n as i64));
        }
        let bytes = encode(&producers, Offset(at));
        prop_assert_eq!(decode(&bytes), Ok((producers, Offset(at))));
        let bit = flip.index(bytes.len() * 8);
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(decode(&damaged), Err(SnapshotError::Damaged));
        prop_assert!(decode(&bytes[..flip.index(bytes.len())]).is_err());
    }
}
