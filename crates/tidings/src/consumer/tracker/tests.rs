//! The tracker against a model that remembers everything.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Takes and finishes as told, in any order.
#[derive(Clone, Debug)]
enum Step {
    /// Fetch the next record, so many offsets beyond the last.
    Take { gap: u8 },
    /// Finish one of those that are open.
    Finish { which: u16 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0u8..4).prop_map(|gap| Step::Take { gap: gap.saturating_sub(2) }),
        any::<u16>().prop_map(|which| Step::Finish { which }),
    ];
    proptest::collection::vec(step, 0..600)
}

/// What a tracker must say, by remembering each offset.
#[derive(Default)]
struct Model {
    open: BTreeSet<i64>,
    next: i64,
}

impl Model {
    fn position(&self) -> i64 {
        self.open.first().copied().unwrap_or(self.next)
    }

    fn is_finished(&self, offset: i64) -> bool {
        offset < self.next && !self.open.contains(&offset)
    }
}

proptest! {
    #[test]
    fn the_commit_is_the_lowest_unfinished_and_metadata_tells_the_rest(
        start in 0i64..1000, steps in steps(),
    ) {
        let mut tracker = Tracker::new(start, Vec::new(), 20);
        let mut model = Model { next: start, ..Model::default() };
        for step in steps {
            match step {
                Step::Take { gap } => {
                    if !tracker.admits_next() { continue; }
                    let offset = model.next + i64::from(gap);
                    prop_assert_eq!(tracker.take(offset), Taken::Run);
                    model.open.insert(offset);
                    model.next = offset + 1;
                }
                Step::Finish { which } => {
                    let nth = usize::from(which) % model.open.len().max(1);
                    let Some(offset) = model.open.iter().nth(nth).copied() else { continue };
                    tracker.finish(offset);
                    tracker.finish(offset);
                    model.open.remove(&offset);
                }
            }
            prop_assert_eq!(tracker.position(), model.position());
            prop_assert_eq!(tracker.unfinished(), model.open.len());
        }
        let progress = tracker.progress(vec!["charge".into()]);
        for offset in start..model.next + 3 {
            let expected = offset < model.position() || model.is_finished(offset);
            prop_assert_eq!(progress.is_finished(offset), expected, "offset {}", offset);
        }
        let text = progress.encode();
        prop_assert!(text.len() <= PROGRESS_MAX_CHARS);
        prop_assert_eq!(Progress::decode(&text, progress.committed), Ok(progress));
    }

    /// An instance that takes over runs exactly what is unfinished, and loses nothing that was
    /// inherited if it has to give the partition back before it has passed it.
    #[test]
    fn what_is_inherited_is_not_run_again(
        finished in proptest::collection::btree_set(1i64..200, 0..100), fetched in 0i64..200,
    ) {
        let first = Tracker {
            open: (0..200)
                .filter(|offset| !finished.contains(offset))
                .map(|offset| Entry { offset, finished: false })
                .collect(),
            marked: 0,
            next: 200,
            inherited: VecDeque::new(),
            names_bytes: 0,
        };
        let progress = first.progress(Vec::new());
        let mut second = Tracker::new(progress.committed, progress.finished.clone(), 0);
        for offset in 0..fetched {
            let expected =
                if finished.contains(&offset) { Taken::AlreadyFinished } else { Taken::Run };
            prop_assert_eq!(second.take(offset), expected, "offset {}", offset);
        }
        let again = second.progress(Vec::new());
        if fetched == 0 {
            prop_assert_eq!(again, progress);
        } else {
            for offset in again.committed..200 {
                prop_assert_eq!(again.is_finished(offset), progress.is_finished(offset));
            }
        }
    }
}

#[test]
fn memory_follows_the_unfinished_ones_however_long_one_hangs() {
    let mut tracker = Tracker::new(0, Vec::new(), 0);
    for offset in 0..100_000 {
        assert!(tracker.admits_next(), "one hanging record must not stop the partition");
        tracker.take(offset);
        if offset > 0 {
            tracker.finish(offset);
        }
    }
    assert_eq!((tracker.position(), tracker.unfinished()), (0, 1));
    assert!(tracker.open.len() < 200, "{} entries for one open record", tracker.open.len());
    let finished = tracker.progress(Vec::new()).finished;
    assert_eq!((finished.len(), &finished[0]), (1, &(1..100_000)));
}

#[test]
fn no_more_is_taken_than_the_metadata_can_tell() {
    let mut tracker = Tracker::new(0, Vec::new(), 100);
    let mut offset = 0;
    while tracker.admits_next() {
        tracker.take(offset);
        offset += 1;
    }
    assert!(offset > 10_000, "only {offset} records may be open at a time");
    // The worst order: every other one finishes.
    for finished in (1..offset).step_by(2) {
        tracker.finish(finished);
    }
    let progress = tracker.progress(vec!["x".repeat(99)]);
    let text = progress.encode();
    assert!(text.len() <= PROGRESS_MAX_CHARS, "{} characters", text.len());
    assert_eq!(Progress::decode(&text, 0), Ok(progress));
}
