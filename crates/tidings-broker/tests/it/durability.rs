//! What an acknowledgement is worth: on a disk that loses power, breaks, or is full.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::ProduceRequest;
use tidings_broker::{Broker, Config, Durability};
use tidings_log::storage::Storage;
use tidings_log::storage::faulty::{Fault, Faulty};

use crate::support::{
    Gated, Wire, batch, eventually, fetch, fetch_request, frame, offset_at, produce,
    produce_request, topic,
};

async fn start(storage: Arc<dyn Storage>, durability: Durability) -> Broker {
    let config = Config { storage: Some(storage), durability, ..Config::memory() };
    Broker::start(config).await.expect("starts")
}

#[tokio::test]
async fn at_power_what_was_acknowledged_survives_a_power_cut() {
    let disk = Faulty::new();
    let broker = start(Arc::new(disk.clone()), Durability::Power).await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 2, &[]);
    for offset in 0..20 {
        assert_eq!(produce(&mut wire, "t", 1, batch(1)).offset, offset);
        let after = disk.after_power_cut();
        if offset % 7 == 0 {
            let again = start(Arc::new(after), Durability::Power).await;
            let mut wire = Wire::connect(again.addr());
            assert_eq!(offset_at(&mut wire, "t", 1, -1).0, offset + 1, "acknowledged is there");
            assert_eq!(fetch(&mut wire, "t", 1, offset, 0).error_code, 0);
        }
    }
}

#[tokio::test]
async fn at_power_all_that_waits_shares_a_sync_and_is_seen_only_behind_it() {
    let gated = Gated::default();
    let broker = start(Arc::new(gated.clone()), Durability::Power).await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    produce(&mut wire, "t", 0, batch(1));
    let before = gated.disk.counts();
    gated.close();
    for id in 0..60 {
        wire.send_bytes(&frame(id, 9, &produce_request("t", 0, batch(1)))).expect("sent");
    }
    eventually("all are written", || gated.disk.counts().writes >= before.writes + 60);
    let mut reader = Wire::connect(broker.addr());
    assert_eq!(fetch(&mut reader, "t", 0, 0, 0).high_watermark, 1, "none is on the disk yet");
    wire.stream.set_read_timeout(Some(Duration::from_millis(50))).expect("timeout");
    wire.receive_bytes().expect_err("none is acknowledged yet");
    wire.stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    let waiting = reader.send(11, &fetch_request("t", 0, 1, 8_000));
    gated.open();
    for id in 0..60 {
        let response = wire.receive::<ProduceRequest>(9, id);
        assert_eq!(response.responses[0].partition_responses[0].base_offset, i64::from(id) + 1);
    }
    let woken = reader.receive::<kafka_protocol::messages::FetchRequest>(11, waiting);
    assert!(woken.responses[0].partitions[0].high_watermark > 1, "the sync woke it");
    let syncs = gated.disk.counts().syncs - before.syncs;
    assert!((1..=2).contains(&syncs), "{syncs} syncs for 60 waiting writes");
}

#[tokio::test]
async fn a_failed_sync_is_never_acknowledged_and_fences_only_that_log() {
    let disk = Faulty::new();
    let broker = start(Arc::new(disk.clone()), Durability::Power).await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 2, &[]);
    assert_eq!(produce(&mut wire, "t", 0, batch(1)).offset, 0);
    disk.script(Fault::Sync(1));
    let failed = produce(&mut wire, "t", 0, batch(1));
    assert_eq!((failed.error, failed.offset), (56, -1));
    let refused = produce(&mut wire, "t", 0, batch(1));
    assert_eq!(refused.error, 56, "the log is fenced: {:?}", refused.message);
    assert!(refused.message.expect("a sentence").contains("until it is opened again"));
    let seen = fetch(&mut wire, "t", 0, 0, 0);
    assert_eq!((seen.error_code, seen.high_watermark), (0, 1), "reads go on, below it only");
    assert_eq!(produce(&mut wire, "t", 1, batch(1)).offset, 0, "the other log takes records");
    drop(broker);
    let broker = start(Arc::new(disk.clone()), Durability::Power).await;
    let mut wire = Wire::connect(broker.addr());
    let produced = produce(&mut wire, "t", 0, batch(1));
    assert_eq!(produced.error, 0, "a restart opens it again: {:?}", produced.message);
}

#[tokio::test]
async fn a_failed_write_fences_too() {
    let disk = Faulty::new();
    let broker = start(Arc::new(disk.clone()), Durability::Process).await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    produce(&mut wire, "t", 0, batch(1));
    disk.script(Fault::WriteAndCut(1));
    assert_eq!(produce(&mut wire, "t", 0, batch(1)).error, 56);
    disk.heal();
    assert_eq!(produce(&mut wire, "t", 0, batch(1)).error, 56);
    assert_eq!(fetch(&mut wire, "t", 0, 0, 0).high_watermark, 1);
}

#[tokio::test]
async fn a_full_disk_is_retriable_and_reads_go_on() {
    let disk = Faulty::new();
    let broker = start(Arc::new(disk.clone()), Durability::Power).await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    produce(&mut wire, "t", 0, batch(1));
    disk.script(Fault::FullFrom(1));
    let full = produce(&mut wire, "t", 0, batch(1));
    assert_eq!(full.error, 56);
    assert!(full.message.expect("a sentence").contains("disk is full"));
    assert_eq!(fetch(&mut wire, "t", 0, 0, 0).high_watermark, 1);
    let (code, _) = crate::topics::create(&mut wire, "u", 1, 1, &[]);
    assert_ne!(code, 0, "nor is a topic created");
    disk.heal();
    assert_eq!(produce(&mut wire, "t", 0, batch(1)).offset, 1, "space was freed");
    assert_eq!(crate::topics::create(&mut wire, "u", 1, 1, &[]).0, 0);
}

#[tokio::test]
async fn what_is_not_durable_yet_is_not_seen() {
    let disk = Faulty::new();
    let broker = start(Arc::new(disk.clone()), Durability::Power).await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    disk.script(Fault::Sync(1));
    assert_eq!(produce(&mut wire, "t", 0, batch(3)).error, 56);
    let mut reader = Wire::connect(broker.addr());
    let seen = fetch(&mut reader, "t", 0, 0, 50);
    assert_eq!((seen.high_watermark, seen.records.map(|r| r.len())), (0, Some(0)));
    assert_eq!(offset_at(&mut reader, "t", 0, -1).0, 0);
}

#[tokio::test]
async fn a_kill_under_load_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config { durability: Durability::Process, ..Config::at(dir.path()) };
    let mut next = 0;
    for round in 0..3 {
        let broker = Broker::start(config.clone()).await.expect("starts");
        let mut wire = Wire::connect(broker.addr());
        if round == 0 {
            topic(&mut wire, "t", 1, &[]);
        }
        let end = offset_at(&mut wire, "t", 0, -1).0;
        assert!(end >= next, "{next} were acknowledged, {end} are there");
        next = end;
        for _ in 0..50 {
            assert_eq!(produce(&mut wire, "t", 0, batch(3)).offset, next);
            next += 3;
        }
        // Some are on their way when it dies.
        for id in 0..5 {
            wire.send_bytes(&frame(id, 9, &produce_request("t", 0, batch(3)))).expect("sent");
        }
        drop(broker);
    }
    let report = tidings_broker::check(dir.path()).expect("a report");
    assert!(report.is_ok(), "{report:?}");
    assert_eq!((report.partitions[0].topic.as_str(), report.partitions[0].start), ("t", 0));
    assert!(report.partitions[0].end >= next);
}

#[tokio::test]
async fn check_finds_a_flipped_bit() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(Config::at(dir.path())).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    produce(&mut wire, "t", 0, batch(3));
    produce(&mut wire, "t", 0, batch(3));
    broker.shutdown().await.expect("stops");
    assert!(tidings_broker::check(dir.path()).expect("a report").is_ok());
    let log = find(dir.path(), "log");
    let mut bytes = std::fs::read(&log).expect("read");
    let flipped = bytes.iter().position(|byte| *byte == b'x').expect("a value");
    bytes[flipped] ^= 1;
    std::fs::write(&log, &bytes).expect("written");
    let report = tidings_broker::check(dir.path()).expect("a report");
    assert!(!report.is_ok());
    assert!(!report.partitions[0].errors.is_empty(), "{report:?}");
}

fn find(dir: &std::path::Path, extension: &str) -> std::path::PathBuf {
    let mut dirs = vec![dir.join("topics")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("listed") {
            let path = entry.expect("listed").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                return path;
            }
        }
    }
    panic!("no .{extension} file");
}

#[tokio::test]
async fn retention_removes_what_is_old_and_wakes_who_waits_there() {
    let config = Config { retention_interval: Duration::from_millis(20), ..Config::memory() };
    let broker = Broker::start(config).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "old", 1, &[("retention.ms", "200")]);
    topic(&mut wire, "large", 1, &[("retention.bytes", "300"), ("segment.bytes", "150")]);
    produce(&mut wire, "old", 0, batch(2));
    for _ in 0..10 {
        produce(&mut wire, "large", 0, batch(2));
    }
    eventually("the old segment is gone", || offset_at(&mut wire, "old", 0, -2).0 == 2);
    eventually("the log is small", || offset_at(&mut wire, "large", 0, -2).0 >= 14);
    assert_eq!(offset_at(&mut wire, "large", 0, -1).0, 20);
    assert_eq!(fetch(&mut wire, "old", 0, 0, 0).error_code, 1);
    let found = fetch(&mut wire, "old", 0, 2, 0);
    assert_eq!((found.error_code, found.log_start_offset), (0, 2));
}

#[tokio::test]
async fn memory_is_bounded_by_giving_up_the_oldest() {
    let config = Config { memory_limit_bytes: 1 << 20, ..Config::memory() };
    let broker = Broker::start(config).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    topic(&mut wire, "small", 1, &[]);
    produce(&mut wire, "small", 0, batch(1));
    let large = || tidings_log::testing::BatchBuilder::filled(1, 10_000, crate::support::now_ms());
    for _ in 0..500 {
        assert_eq!(produce(&mut wire, "t", 0, large().build().freeze()).error, 0);
    }
    let kept = |wire: &mut Wire| 500 - offset_at(wire, "t", 0, -2).0;
    eventually("no more than the limit is kept", || kept(&mut wire) * 10_000 <= 1 << 20);
    assert!(kept(&mut wire) * 10_000 > 500_000, "and not much less");
    assert_eq!(offset_at(&mut wire, "small", 0, -2).0, 0, "the largest partition gives");
    assert_eq!(fetch(&mut wire, "t", 0, 499, 0).error_code, 0);
}

#[tokio::test]
async fn a_fetch_waits_for_as_much_as_it_asked_for() {
    let broker = crate::support::memory().await;
    let mut wire = Wire::connect(broker.addr());
    topic(&mut wire, "t", 1, &[]);
    let mut reader = Wire::connect(broker.addr());
    let request = fetch_request("t", 0, 0, 8_000).with_min_bytes(1_000);
    let id = reader.send(11, &request);
    for _ in 0..20 {
        produce(&mut wire, "t", 0, batch(1));
    }
    let response = reader.receive::<kafka_protocol::messages::FetchRequest>(11, id);
    let records = response.responses[0].partitions[0].records.clone().expect("not null");
    assert!(records.len() >= 900, "{} bytes", records.len());
}
