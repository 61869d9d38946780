//! R20: 10,000 idle connections beside 200 busy ones. None is dropped, an idle one costs at most
//! 16 KiB, and the busy ones hardly notice.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiVersionsRequest;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::process::Process;
use super::{row, size};
use crate::support::{Wire, batch, fetch, produce, topic};

const IDLE_LIMIT_KIB: f64 = 16.0;

/// As many open files as this process may have.
fn raise_open_files() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("known");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit");
    hard
}

/// A round of the busy ones: the latencies of all their requests, sorted, in microseconds.
fn busy_round(wires: &mut [Wire], duration: Duration) -> Vec<u128> {
    let begin = Barrier::new(wires.len());
    let rounds = std::thread::scope(|scope| {
        let each = |(n, wire): (usize, &mut Wire)| busy(n, wire, &begin, duration);
        let threads: Vec<_> =
            wires.iter_mut().enumerate().map(|one| scope.spawn(move || each(one))).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("no drop"));
        joined.flatten().collect::<Vec<u128>>()
    });
    let mut all = rounds;
    all.sort_unstable();
    all
}

fn busy(n: usize, wire: &mut Wire, begin: &Barrier, duration: Duration) -> Vec<u128> {
    let mut latencies = Vec::new();
    begin.wait();
    let began = Instant::now();
    while began.elapsed() < duration {
        let asked = Instant::now();
        let produced = produce(wire, "t", (n % 4) as i32, batch(1));
        assert_eq!(produced.error, 0, "{produced:?}");
        let read = fetch(wire, "t", (n % 4) as i32, produced.offset, 0);
        assert_eq!(read.error_code, 0);
        latencies.push(asked.elapsed().as_micros());
        std::thread::sleep(Duration::from_millis(50));
    }
    latencies
}

fn percentile(sorted: &[u128], share: usize) -> u128 {
    sorted.get(sorted.len() * share / 100).copied().unwrap_or_default()
}

#[test]
#[ignore = "needs the release binary: cargo xtask hostile"]
fn idle_connections_are_cheap_and_busy_ones_do_not_notice_them() {
    let hard = raise_open_files();
    let (idle, busy) = (size("TIDINGS_TEST_IDLE", 10_000), size("TIDINGS_TEST_BUSY", 200));
    let duration = Duration::from_secs(size("TIDINGS_TEST_SECONDS", 2) as u64);
    assert!(hard as usize > idle + busy + 100, "only {hard} files may be open here");
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data");
    let flags = ["--data", data.to_str().expect("UTF-8"), "--durability", "process"];
    let broker = Process::start(home.path(), &flags);
    topic(&mut Wire::connect(broker.addr), "t", 4, &[]);
    let mut busy: Vec<Wire> = (0..busy).map(|_| Wire::connect(broker.addr)).collect();
    busy_round(&mut busy, Duration::from_millis(500));
    let alone = busy_round(&mut busy, duration);
    let before = broker.rss_kib();
    let mut crowd: Vec<Wire> = (0..idle)
        .map(|_| {
            let mut wire = Wire::connect(broker.addr);
            // A client asks this first, and then has nothing to say.
            wire.call(3, &ApiVersionsRequest::default());
            wire
        })
        .collect();
    let each = broker.rss_kib().saturating_sub(before) as f64 / idle as f64;
    let beside = busy_round(&mut busy, duration);
    for wire in &mut crowd {
        wire.call(3, &ApiVersionsRequest::default());
    }
    row("R20.idle", idle, "10000");
    row("R20.drops", 0, "0");
    row("R20.kib_each", format!("{each:.1}"), "<= 16");
    row("R20.busy_p99_us_alone", percentile(&alone, 99), "(beside: at most 1.2 of it)");
    row("R20.busy_p99_us_beside", percentile(&beside, 99), "(on an idle machine)");
    assert!(each <= IDLE_LIMIT_KIB, "an idle connection costs {each:.1} KiB");
    drop(crowd);
    assert_eq!(produce(&mut busy[0], "t", 0, batch(1)).error, 0, "their end disturbs nobody");
}
