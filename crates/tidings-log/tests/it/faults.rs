//! Disks that fail: at every single operation, in every way, nothing acknowledged is lost.

use std::sync::Arc;

use tidings_log::storage::faulty::Fault;
use tidings_log::storage::{Faulty, Memory};
use tidings_log::testing::BatchBuilder;
use tidings_log::{AppendError, Journal, Log, LogConfig, Offset};

use crate::kit::{DIR, bytes_from, checked, open, open_memory, sync};

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1500,
        index_interval_bytes: 100,
        checkpoint_bytes: 600,
        ..LogConfig::default()
    }
}

/// What a run of the script was told by the log.
#[derive(Default)]
struct Told {
    /// The bytes of all batches that were accepted.
    accepted: Vec<u8>,
    /// How many of those bytes a sync confirmed.
    synced: usize,
    /// Errors of appends.
    errors: Vec<AppendError>,
    /// Whether opening or syncing failed.
    failed: bool,
}

/// Appends, rolls and syncs as a broker does; on an error it goes on with the next step.
fn script(faulty: &Faulty) -> Told {
    let mut told = Told::default();
    let Ok((mut log, _)) = Log::open(Arc::new(faulty.clone()), DIR, config()) else {
        told.failed = true;
        return told;
    };
    for n in 0..24 {
        let mut batch = BatchBuilder::filled(1, 10 + n * 29 % 200, n as i64).build();
        match log.append(&batch, 0) {
            Ok(appended) => {
                tidings_log::batch::patch_base_offset(&mut batch, appended.base_offset);
                tidings_log::batch::patch_leader_epoch(&mut batch, 0);
                told.accepted.extend_from_slice(&batch);
            }
            Err(error) => told.errors.push(error),
        }
        if n % 3 == 2 {
            match log.plan_sync().run() {
                Ok(end) => {
                    log.synced(end);
                    told.synced = told.accepted.len();
                }
                Err(error) => {
                    told.failed = true;
                    log.fence(error.to_string());
                }
            }
        }
        let from = log.start();
        assert_eq!(bytes_from(&log, from), told.accepted, "reads go on, whatever happens");
        assert!(log.synced_end() <= log.end());
    }
    told.failed |= log.close().is_err();
    told
}

/// Everything that a killed process, and everything that a power cut, must leave behind.
fn verify(faulty: &Faulty, told: &Told, what: &str) {
    let (log, _) = open_memory(faulty.live(), config());
    let left = bytes_from(&log, log.start());
    assert!(left.starts_with(&told.accepted), "{what}: accepted records lost by kill -9");
    drop(log);
    assert!(checked(faulty.live()).is_ok(), "{what}: {:?}", checked(faulty.live()));

    let memory = faulty.after_power_cut();
    let (log, report) = open_memory(&memory, config());
    let left = bytes_from(&log, log.start());
    assert!(left.len() >= told.synced, "{what}: synced records lost by a power cut: {report:?}");
    let common = left.len().min(told.accepted.len());
    assert!(left[..common] == told.accepted[..common], "{what}: wrong bytes after a power cut");
    drop(log);
    assert!(checked(&memory).is_ok(), "{what}: {:?}", checked(&memory));
}

/// Runs the script with the fault at the first, second, ... operation until it is out of reach.
fn at_every_operation(fault: impl Fn(u64) -> Fault, expect: impl Fn(&Told)) {
    let all = {
        let faulty = Faulty::new();
        let told = script(&faulty);
        assert!(told.errors.is_empty() && !told.failed && told.synced == told.accepted.len());
        verify(&faulty, &told, "without a fault");
        faulty.counts()
    };
    assert!(all.writes > 30 && all.syncs > 8, "{all:?}");
    for n in 1..=all.changes {
        let faulty = Faulty::new();
        faulty.script(fault(n));
        let told = script(&faulty);
        faulty.heal();
        expect(&told);
        verify(&faulty, &told, &format!("{:?}", fault(n)));
    }
}

#[test]
fn an_io_error_at_any_operation() {
    at_every_operation(Fault::Change, |told| {
        let fenced = |error: &AppendError| matches!(error, AppendError::Fenced { .. });
        assert!(told.errors.iter().all(fenced), "{:?}", told.errors);
    });
}

#[test]
fn half_a_write_with_an_io_error() {
    at_every_operation(Fault::ShortWrite, |told| {
        let fenced = |error: &AppendError| matches!(error, AppendError::Fenced { .. });
        assert!(told.errors.iter().all(fenced), "{:?}", told.errors);
    });
}

#[test]
fn a_failed_sync_fences_and_is_never_tried_again() {
    at_every_operation(Fault::Sync, |told| {
        let fenced = |error: &AppendError| matches!(error, AppendError::Fenced { .. });
        assert!(told.errors.iter().all(fenced), "{:?}", told.errors);
        assert!(told.errors.is_empty() || told.synced < told.accepted.len());
    });
}

#[test]
fn a_write_that_cannot_be_undone() {
    at_every_operation(Fault::WriteAndCut, |told| {
        let fenced = |error: &AppendError| matches!(error, AppendError::Fenced { .. });
        assert!(told.errors.iter().all(fenced), "{:?}", told.errors);
    });
}

#[test]
fn a_disk_that_is_full_once() {
    at_every_operation(Fault::FullAt, |told| {
        assert!(told.errors.len() <= 1, "the next append goes through: {:?}", told.errors);
        for error in &told.errors {
            assert!(matches!(error, AppendError::DiskFull { .. }) && error.is_retryable());
        }
    });
}

#[test]
fn a_disk_that_stays_full() {
    at_every_operation(Fault::FullFrom, |told| {
        let full = |error: &AppendError| matches!(error, AppendError::DiskFull { .. });
        assert!(told.errors.iter().all(full), "{:?}", told.errors);
    });
}

#[test]
fn a_full_disk_is_no_end_once_there_is_room_again() {
    let faulty = Faulty::new();
    let (mut log, _) = open(Arc::new(faulty.clone()), config());
    let batch = BatchBuilder::filled(1, 300, 1).build();
    log.append(&batch, 0).expect("room");
    faulty.script(Fault::FullFrom(1));
    for _ in 0..3 {
        let error = log.append(&batch, 0).expect_err("the disk is full");
        assert_eq!(error, AppendError::DiskFull { log: DIR.to_owned() });
        assert!(error.to_string().contains("takes no records until space is freed"));
        assert_eq!(log.end(), Offset(1));
        let content = faulty.live().content(&format!("{DIR}/{:020}.log", 0)).expect("it is there");
        assert_eq!(content.len() as u64, log.size_bytes(), "nothing of it is left");
    }
    assert_eq!(log.fenced(), None);
    faulty.heal();
    for _ in 0..20 {
        log.append(&batch, 0).expect("there is room again");
    }
    sync(&mut log);
    assert_eq!(bytes_from(&log, Offset(0)).len(), 21 * batch.len());
    drop(log);
    let (log, report) = open_memory(&faulty.after_power_cut(), config());
    assert!(report.cut_bytes == 0 && log.end() == Offset(21), "{report:?}");
}

/// A saved index says that its segment is on the disk: after a failed sync there must be none.
#[test]
fn what_was_not_synced_is_not_called_trusted() {
    let faulty = Faulty::new();
    let (mut log, _) = open(Arc::new(faulty.clone()), config());
    for _ in 0..5 {
        log.append(&BatchBuilder::filled(1, 900, 1).build(), 0).expect("room");
    }
    faulty.script(Fault::Sync(1));
    log.plan_sync().run().expect_err("the first sync fails");
    log.plan_sync().run().expect_err("and so do all others");
    let saved = |path: &String| path.ends_with(".index") || path.ends_with(".producers");
    assert!(!faulty.live().paths().iter().any(saved), "{:?}", faulty.live().paths());
}

/// The kernel takes pages that it could not write for written. A process that is started again at
/// once finds them in the page cache, and what it acknowledges then must not stand behind a gap.
#[test]
fn a_start_after_a_failed_sync_writes_again_what_may_be_missing() {
    let faulty = Faulty::new();
    let (mut log, _) = open(Arc::new(faulty.clone()), config());
    let batch = BatchBuilder::filled(1, 900, 1).build();
    for _ in 0..3 {
        log.append(&batch, 0).expect("room");
    }
    faulty.script(Fault::Sync(1));
    log.plan_sync().run().expect_err("the first sync fails");
    drop(log);
    let (mut log, report) = open(Arc::new(faulty.clone()), config());
    assert!(log.end() == Offset(3) && report.notes.len() == 1, "{report:?}");
    log.append(&batch, 0).expect("room");
    sync(&mut log);
    drop(log);
    let (log, report) = open_memory(&faulty.after_power_cut(), config());
    assert!(log.end() == Offset(4) && report.cut_bytes == 0, "{report:?}");
    let (_, report) = open(Arc::new(faulty), config());
    assert_eq!(report.notes, [] as [String; 0], "once is enough");
}

/// A sync that is planned later may end earlier: its success must not rest on what only the other
/// one does, such as syncing the name of a new segment.
#[test]
fn plans_may_end_in_any_order() {
    let faulty = Faulty::new();
    let (mut log, _) = open(Arc::new(faulty.clone()), config());
    let batch = BatchBuilder::filled(1, 900, 1).build();
    for _ in 0..3 {
        log.append(&batch, 0).expect("room");
    }
    let earlier = log.plan_sync();
    log.append(&batch, 0).expect("room");
    let end = log.plan_sync().run().expect("synced");
    let (cut, _) = open_memory(&faulty.after_power_cut(), config());
    assert_eq!((end, cut.end()), (Offset(4), Offset(4)));
    assert_eq!(earlier.run().expect("synced"), Offset(3));
    log.synced(end);
    log.synced(Offset(3));
    assert_eq!(log.synced_end(), Offset(4));
}

#[test]
fn a_journal_is_written_again_after_a_failed_sync() {
    const PATH: &str = "meta/a.journal";
    let faulty = Faulty::new();
    let opened = || Journal::open(Arc::new(faulty.clone()), PATH).expect("opens");
    let (mut journal, ..) = opened();
    journal.append(b"first").expect("room");
    faulty.script(Fault::Sync(1));
    journal.plan_sync().run().expect_err("the first sync fails");
    drop(journal);
    let (mut journal, ..) = opened();
    journal.append(b"second").expect("room");
    journal.plan_sync().run().expect("synced");
    let disk = Arc::new(faulty.after_power_cut());
    let (_, entries, recovery) = Journal::open(disk, PATH).expect("opens");
    assert!(entries == ["first", "second"] && recovery.cut_bytes == 0, "{entries:?} {recovery:?}");
}

/// The journal under the same faults: what was accepted is found after a kill, what was synced
/// after a power cut, and a rewrite is all or nothing.
#[test]
fn a_journal_loses_nothing_either() {
    const PATH: &str = "meta/a.journal";
    let script = |faulty: &Faulty| {
        let (mut accepted, mut synced) = (Vec::<Vec<u8>>::new(), 0);
        let Ok((mut journal, ..)) = Journal::open(Arc::new(faulty.clone()), PATH) else {
            return (accepted, synced);
        };
        for n in 0..20u8 {
            let entry = vec![n; usize::from(n) * 5];
            if journal.append(&entry).is_ok() {
                accepted.push(entry);
            }
            if n % 4 == 1 {
                match journal.plan_sync().run() {
                    Ok(_) => synced = accepted.len(),
                    Err(error) => journal.fence(error.to_string()),
                }
            }
            if n % 7 == 5 && journal.rewrite(accepted.iter().map(Vec::as_slice)).is_ok() {
                synced = accepted.len();
            }
        }
        (accepted, synced)
    };
    let faulty = Faulty::new();
    script(&faulty);
    let kinds: [fn(u64) -> Fault; 6] = [
        Fault::Change,
        Fault::ShortWrite,
        Fault::FullAt,
        Fault::FullFrom,
        Fault::Sync,
        Fault::WriteAndCut,
    ];
    for n in 1..=faulty.counts().changes {
        for fault in kinds.map(|kind| kind(n)) {
            let faulty = Faulty::new();
            faulty.script(fault);
            let (accepted, synced) = script(&faulty);
            let entries = |memory: &Memory| {
                Journal::open(Arc::new(memory.clone()), PATH).expect("it opens").1
            };
            let left = entries(faulty.live());
            assert!(left.len() >= accepted.len(), "{fault:?}");
            assert_eq!(left[..accepted.len()], accepted, "{fault:?}");
            let left = entries(&faulty.after_power_cut());
            assert!(left.len() >= synced, "{fault:?}: {} of {synced}", left.len());
            let common = left.len().min(accepted.len());
            assert_eq!(left[..common], accepted[..common], "{fault:?}");
        }
    }
}
