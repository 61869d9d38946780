//! R21: one of twenty consumers stalls and catches up later, and readers ask for much and never
//! read their sockets. The others get every record in order, and memory stays bounded.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tidings_log::testing::BatchBuilder;

use super::process::Process;
use super::records::{Writer, read_all};
use super::{row, size};
use crate::support::topic;
use crate::support::{Wire, eventually, fetch, fetch_request, frame, now_ms, offset_at, produce};

const READERS: usize = 20;
const NEVER_READ: usize = 20;
/// One answer that waits for its reader, and a little.
const EACH_LIMIT_KIB: u64 = 12 << 10;

/// Follows the topic's end until told to stop; the delays of all records, in microseconds.
fn follow(addr: std::net::SocketAddr, from: i64, epoch: Instant, stop: &AtomicBool) -> Vec<u128> {
    let mut wire = Wire::connect(addr);
    let (mut next, mut delays) = (from, Vec::new());
    while !stop.load(Relaxed) {
        let data = fetch(&mut wire, "tail", 0, next, 50);
        assert_eq!(data.error_code, 0);
        let mut records = data.records.unwrap_or_default();
        let now = epoch.elapsed().as_micros();
        for (offset, value) in super::records::decode(&mut records) {
            if offset >= next {
                assert_eq!(offset, next, "no gap");
                next = offset + 1;
                let sent: u128 = value.trim().parse().expect("the time it was sent");
                delays.push(now.saturating_sub(sent));
            }
        }
    }
    delays
}

/// 500 records a second for the duration; delays of all who follow, sorted.
fn tail(addr: std::net::SocketAddr, readers: usize, duration: Duration) -> Vec<u128> {
    let (epoch, stop) = (Instant::now(), AtomicBool::new(false));
    let mut wire = Wire::connect(addr);
    let from = offset_at(&mut wire, "tail", 0, -1).0;
    let (mut written, mut all) = (0, Vec::new());
    std::thread::scope(|scope| {
        let followers: Vec<_> =
            (0..readers).map(|_| scope.spawn(|| follow(addr, from, epoch, &stop))).collect();
        while epoch.elapsed() < duration {
            let value = format!("{:<100}", epoch.elapsed().as_micros());
            let batch = BatchBuilder::new().record(now_ms(), None, Some(value.as_bytes()));
            assert_eq!(produce(&mut wire, "tail", 0, batch.build().freeze()).error, 0);
            written += 1;
            std::thread::sleep(Duration::from_millis(2));
        }
        // Long enough for the last record to be woken for, and not a measure of anything.
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Relaxed);
        for follower in followers {
            let delays = follower.join().expect("it got every record");
            assert_eq!(delays.len(), written, "every follower got every record");
            all.extend(delays);
        }
    });
    all.sort_unstable();
    all
}

fn p99(sorted: &[u128]) -> u128 {
    sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default()
}

#[test]
#[ignore = "needs the release binary: cargo xtask hostile"]
fn slow_readers_are_their_own_problem() {
    let duration = Duration::from_secs(size("TIDINGS_TEST_SECONDS", 2) as u64);
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data");
    let flags = ["--data", data.to_str().expect("UTF-8"), "--durability", "process"];
    let broker = Process::start(home.path(), &flags);
    let addr = broker.addr;
    let mut wire = Wire::connect(addr);
    topic(&mut wire, "tail", 1, &[]);
    topic(&mut wire, "cold", 1, &[]);
    let mut cold = Writer::new("cold", 0, 256 << 10);
    for _ in 0..256 {
        assert_eq!(cold.write(&mut wire).error, 0);
    }
    let alone = tail(addr, READERS - 1, duration);

    // Stalled: it has asked, and takes its answer when all is over.
    let mut stalled = Wire::connect(addr);
    let first = stalled.send(11, &fetch_request("cold", 0, 0, 0));
    broker.reset_peak();
    let before = broker.rss_kib();
    let mut never: Vec<Wire> = (0..NEVER_READ).map(|_| Wire::connect(addr)).collect();
    let big = big_fetch();
    for wire in &mut never {
        for _ in 0..10 {
            wire.send_bytes(&big).expect("sent");
        }
    }
    eventually("their answers are ready", || broker.rss_kib() > before + 1024);
    let beside = tail(addr, READERS - 1, duration);
    let each = broker.peak_kib().saturating_sub(before) / NEVER_READ as u64;
    row("R21.never_reads.kib_each", each, "<= 12288");
    assert!(each <= EACH_LIMIT_KIB, "a reader that never reads holds {each} KiB");

    let catching_up = std::thread::scope(|scope| {
        scope.spawn(|| {
            stalled.receive::<kafka_protocol::messages::FetchRequest>(11, first);
            let caught_up = read_all(&mut stalled, "cold", 0);
            assert_eq!(caught_up, cold.acknowledged, "it catches up with every record");
        });
        tail(addr, READERS - 1, duration)
    });
    drop(never);
    row("R21.records_of_others_missing", 0, "0");
    row("R21.others_p99_us_alone", p99(&alone), "(beside: at most 1.2 of it)");
    row("R21.others_p99_us_beside", p99(&beside), "(on an idle machine)");
    row("R21.others_p99_us_while_one_catches_up", p99(&catching_up), "(at most 1.2 of alone)");
}

/// Asks for everything in the topic at once.
fn big_fetch() -> Bytes {
    let mut request = fetch_request("cold", 0, 0, 0);
    request.topics[0].partitions[0].partition_max_bytes = 50 << 20;
    frame(1, 11, &request).freeze()
}
