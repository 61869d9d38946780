//! Random operations against a model that keeps every batch in a list: whatever is done in
//! whatever order, through kills and power cuts, the log is what it should be.

use std::sync::Arc;

use proptest::prelude::*;
use tidings_log::batch::{patch_base_offset, patch_leader_epoch};
use tidings_log::storage::Faulty;
use tidings_log::testing::BatchBuilder;
use tidings_log::{Log, LogConfig, Offset};

use crate::kit::{bytes_from, checked, open, open_memory};

#[derive(Clone, Debug)]
enum Step {
    /// Batches of (records, value bytes) in one append.
    Append(Vec<(usize, usize)>),
    /// The next batch of an idempotent producer, or its newest one again.
    Produce {
        again: bool,
    },
    Sync,
    Retain {
        age_ms: i64,
    },
    RetainSize {
        bytes: u64,
    },
    DeleteBefore(prop::sample::Index),
    Shrink,
    Close,
    Kill,
    PowerCut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec((1..4usize, 0..300usize), 1..4).prop_map(Step::Append),
        4 => any::<bool>().prop_map(|again| Step::Produce { again }),
        4 => Just(Step::Sync),
        1 => (0..400i64).prop_map(|age_ms| Step::Retain { age_ms }),
        1 => (0..6000u64).prop_map(|bytes| Step::RetainSize { bytes }),
        1 => any::<prop::sample::Index>().prop_map(Step::DeleteBefore),
        1 => Just(Step::Shrink),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerCut),
    ]
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1200,
        index_interval_bytes: 150,
        checkpoint_bytes: 500,
        ..LogConfig::default()
    }
}

/// What must be true.
struct Model {
    /// Every batch that was ever appended and not lost: its offsets, and its bytes.
    batches: Vec<(i64, i64, Vec<u8>)>,
    end: i64,
    /// Nothing below can be read.
    start: i64,
    /// Nothing below can come back, even by a power cut.
    deleted: i64,
    synced: i64,
    now_ms: i64,
    /// Sequence and offsets of the producer's newest batch.
    produced: Option<(i32, i64)>,
}

impl Model {
    fn append(&mut self, mut bytes: bytes::BytesMut, records: i64) {
        patch_base_offset(&mut bytes, Offset(self.end));
        patch_leader_epoch(&mut bytes, 0);
        self.batches.push((self.end, self.end + records, bytes.to_vec()));
        self.end += records;
    }

    /// The bytes that a reader from the start gets.
    fn content(&self) -> Vec<u8> {
        let kept = self.batches.iter().filter(|(_, next, _)| *next > self.start);
        kept.flat_map(|(_, _, bytes)| bytes.clone()).collect()
    }

    /// Takes over how much a power cut took away, and what removed segments it brought back.
    fn after_power_cut(&mut self, log: &Log) {
        let (start, end) = (log.start().value(), log.end().value());
        assert!(end >= self.synced && end <= self.end, "{} <= {end} <= {}", self.synced, self.end);
        assert!(start >= self.deleted && start <= self.start.max(self.deleted));
        self.batches.retain(|(_, next, _)| *next <= end);
        (self.start, self.end) = (start, end);
        // Snapshots are not synced: with its segments a producer may be forgotten, but what is
        // known of it is what the log holds.
        let known = log.producers().find(5).and_then(|p| p.batches().last());
        self.produced = known.map(|newest| (newest.first, newest.base_offset.value()));
        let held = self.batches.iter().any(|(base, ..)| Some(*base) == self.produced.map(|p| p.1));
        assert!(held || self.produced.is_none());
    }
}

fn run(steps: Vec<Step>) {
    let mut faulty = Faulty::new();
    let (mut log, _) = open(Arc::new(faulty.clone()), config());
    let mut model = Model {
        batches: Vec::new(),
        end: 0,
        start: 0,
        deleted: 0,
        synced: 0,
        now_ms: 1000,
        produced: None,
    };
    for step in steps {
        model.now_ms += 10;
        match &step {
            Step::Append(batches) => append(&mut log, &mut model, batches),
            Step::Produce { again } => produce(&mut log, &mut model, *again),
            Step::Sync => {
                let end = log.plan_sync().run().expect("nothing fails here");
                log.synced(end);
                model.synced = model.end;
            }
            Step::Retain { age_ms } => {
                let retention_ms = Some(*age_ms as u64);
                retain(&mut log, &mut model, LogConfig { retention_ms, ..config() });
            }
            Step::RetainSize { bytes } => {
                let retention_bytes = Some(*bytes);
                retain(&mut log, &mut model, LogConfig { retention_bytes, ..config() });
            }
            Step::DeleteBefore(index) => {
                let offset =
                    model.start + index.index((model.end - model.start + 1) as usize) as i64;
                let start = log.delete_before(Offset(offset)).expect("in range").value();
                assert_eq!(start, offset);
                // What retention had removed before is not stored a second time.
                if start > model.start {
                    (model.start, model.deleted) = (start, start);
                }
            }
            Step::Shrink => {
                let removed = log.shrink();
                assert!(removed.is_some() || model.content().is_empty());
                model.start = kept_from(&log, &model);
            }
            Step::Close => {
                log.close().expect("nothing fails here");
                model.synced = model.end;
                let report;
                (log, report) = open(Arc::new(faulty.clone()), config());
                assert!(report.is_clean() && report.scanned_bytes == 0, "{report:?}");
            }
            Step::Kill => {
                drop(log);
                let report;
                (log, report) = open(Arc::new(faulty.clone()), config());
                assert!(report.is_clean(), "{report:?}");
            }
            Step::PowerCut => {
                drop(log);
                let memory = faulty.after_power_cut();
                // What is on the disk then is all there is, and all of it is on the disk.
                faulty = Faulty::from_disk(memory);
                (log, _) = open(Arc::new(faulty.clone()), config());
                model.after_power_cut(&log);
            }
        }
        assert_eq!((log.start().value(), log.end().value()), (model.start, model.end));
        assert!(bytes_from(&log, log.start()) == model.content(), "after {step:?}");
    }
    drop(log);
    let report = checked(faulty.live());
    assert!(report.is_ok(), "{report:?}");
    let (log, _) = open_memory(faulty.live(), config());
    assert_eq!(report.partitions[0].end, log.end());
}

fn retain(log: &mut Log, model: &mut Model, with: LogConfig) {
    log.set_config(with);
    log.retain(model.now_ms);
    model.start = kept_from(log, model);
    log.set_config(config());
}

fn append(log: &mut Log, model: &mut Model, batches: &[(usize, usize)]) {
    let mut all = bytes::BytesMut::new();
    let first = model.end;
    for (records, value_bytes) in batches {
        let batch = BatchBuilder::filled(*records, *value_bytes, model.now_ms).build();
        all.extend_from_slice(&batch);
        model.append(batch, *records as i64);
    }
    let appended = log.append(&all, model.now_ms).expect("there is room");
    assert_eq!((appended.base_offset, appended.duplicate), (Offset(first), false));
}

fn produce(log: &mut Log, model: &mut Model, again: bool) {
    let batch = |first| BatchBuilder::filled(2, 9, 1000).producer(5, 0, first).build();
    match model.produced.filter(|_| again) {
        Some((first, base)) => {
            let appended =
                log.append(&batch(first), model.now_ms).expect("a duplicate is answered");
            assert_eq!((appended.base_offset, appended.duplicate), (Offset(base), true));
        }
        None => {
            let known = log.producers().find(5).and_then(|p| p.batches().last());
            let first = known.map_or(0, |newest| newest.last + 1);
            assert!(model.produced.is_none_or(|(newest, _)| newest + 2 == first));
            model.produced = Some((first, model.end));
            let appended = log.append(&batch(first), model.now_ms).expect("in sequence");
            assert_eq!((appended.base_offset.value(), appended.duplicate), (model.end, false));
            model.append(batch(first), 2);
        }
    }
}

/// The new start: only ever whole batches go, and never backwards.
fn kept_from(log: &Log, model: &Model) -> i64 {
    let start = log.start().value();
    assert!(start >= model.start && start <= model.end);
    let edge = start == model.start || start == model.end;
    assert!(edge || model.batches.iter().any(|(base, _, _)| *base == start));
    start
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_order_of_operations(steps in prop::collection::vec(step(), 1..80)) {
        run(steps);
    }
}
