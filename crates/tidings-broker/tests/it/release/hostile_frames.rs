//! R17: frames that are none, 10,000 of them, beside a client that means well: lengths below zero
//! and beyond all bounds, keys that nobody serves, arrays that lie, requests cut off in the middle,
//! and connections that trickle. The bad ones are closed at once, the good one notices nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest};

use super::process::Process;
use super::row;
use crate::support::{Wire, batch, fetch, frame, produce, topic};

const BAD: usize = 10_000;
const TRICKLING: usize = 50;
/// A request may take this long from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request of this key and version with this body.
fn request(key: i16, version: i16, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_u32(10 + body.len() as u32);
    out.put_i16(key);
    out.put_i16(version);
    out.put_i32(1);
    out.put_i16(-1);
    out.put_slice(body);
    out
}

/// What the broker must close the connection for.
fn malformed(n: usize) -> BytesMut {
    let length = |length: i32| BytesMut::from(&length.to_be_bytes()[..]);
    match n % 10 {
        0 => length(-1 - n as i32),
        1 => length(i32::MAX),
        2 => length((100 << 20) + 1 + n as i32),
        3 => length((n % 8) as i32),
        4 => request(70 + (n % 1000) as i16, 0, &[]),
        5 => request(3, 200, &[0]),
        6 => request(3, 1, &i32::MAX.to_be_bytes()),
        7 => request(3, 1, &(-7_i32).to_be_bytes()),
        8 => request(3, 9, &[0, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        _ => request(3, 1, &[0, 0, 0, 1, 0x7f, 0xff]),
    }
}

/// Sends all of it; the longest that the broker left a bad connection open.
fn misbehave(addr: SocketAddr) -> Duration {
    let mut longest = Duration::ZERO;
    for n in 0..BAD {
        let mut wire = Wire::connect(addr);
        if n % 4 == 3 {
            // Gone in the middle of a request: nobody is left to be answered.
            let whole = frame(1, 9, &MetadataRequest::default());
            let _ = wire.send_bytes(&whole[..1 + n % (whole.len() - 1)]);
            continue;
        }
        let _ = wire.send_bytes(&malformed(n));
        let sent = Instant::now();
        assert!(wire.is_closed(), "{n}: {:?}", malformed(n));
        longest = longest.max(sent.elapsed());
    }
    longest
}

/// Produces and fetches until told to stop; latencies, sorted, in microseconds.
fn behave(addr: SocketAddr, stop: &AtomicBool, least: usize) -> Vec<u128> {
    let mut wire = Wire::connect(addr);
    let mut latencies = Vec::new();
    while !stop.load(Relaxed) || latencies.len() < least {
        let asked = Instant::now();
        let produced = produce(&mut wire, "t", 0, batch(1));
        assert_eq!(produced.error, 0, "{produced:?}");
        assert_eq!(fetch(&mut wire, "t", 0, produced.offset, 0).error_code, 0);
        latencies.push(asked.elapsed().as_micros());
        std::thread::sleep(Duration::from_millis(1));
    }
    latencies.sort_unstable();
    latencies
}

/// Connections that send a byte now and then, and how long the broker had patience with each.
fn trickle(addr: SocketAddr) -> Vec<Duration> {
    let mut wires: Vec<(Wire, Option<Duration>)> =
        (0..TRICKLING).map(|_| (Wire::connect(addr), None)).collect();
    let began = Instant::now();
    for (wire, _) in &mut wires {
        wire.stream.set_read_timeout(Some(Duration::from_millis(1))).expect("timeout");
        wire.send_bytes(&1_000_u32.to_be_bytes()).expect("sent");
    }
    while wires.iter().any(|(_, closed)| closed.is_none()) {
        assert!(began.elapsed() < PATIENCE * 2, "they trickle on");
        for (wire, closed) in wires.iter_mut().filter(|(_, closed)| closed.is_none()) {
            if wire.send_bytes(&[0]).is_err() || wire.is_closed() {
                *closed = Some(began.elapsed());
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    wires.into_iter().filter_map(|(_, closed)| closed).collect()
}

#[test]
#[ignore = "needs the release binary: cargo xtask hostile"]
fn a_good_client_does_not_notice_ten_thousand_bad_ones() {
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data");
    let flags = ["--data", data.to_str().expect("UTF-8"), "--durability", "process"];
    let broker = Process::start(home.path(), &flags);
    let addr = broker.addr;
    topic(&mut Wire::connect(addr), "t", 1, &[]);
    let alone = behave(addr, &AtomicBool::new(true), 500);
    let (stop, before) = (AtomicBool::new(false), broker.rss_kib());
    let (longest, patience, beside) = std::thread::scope(|scope| {
        let good = scope.spawn(|| behave(addr, &stop, 500));
        let trickling = scope.spawn(|| trickle(addr));
        let longest = scope.spawn(|| misbehave(addr)).join();
        let patience = trickling.join();
        stop.store(true, Relaxed);
        let beside = good.join().expect("the good client has no error");
        (longest.expect("all were closed"), patience.expect("all were closed"), beside)
    });
    let p99 = |sorted: &[u128]| sorted[sorted.len() * 99 / 100];
    let grown = broker.rss_kib().saturating_sub(before);
    let longest_patience = patience.iter().max().copied().unwrap_or_default();
    row("R17.bad_connections", BAD + TRICKLING, "10000");
    row("R17.good_client_requests", beside.len() * 2, "> 0");
    row("R17.good_client_errors", 0, "0");
    row("R17.bad_closed_after_ms", longest.as_millis(), "<= 1000");
    row("R17.trickling_closed_after_s", longest_patience.as_secs(), "30");
    row("R17.growth_kib", grown, "<= 65536");
    row("R17.good_p99_us_alone", p99(&alone), "(beside: at most 1.5 of it)");
    row("R17.good_p99_us_beside", p99(&beside), "(on an idle machine)");
    assert!(longest <= Duration::from_secs(1), "a bad connection stayed open for {longest:?}");
    assert!(patience.iter().all(|waited| *waited >= PATIENCE), "{patience:?}");
    assert!(grown < 64 << 10, "memory grew by {grown} KiB");
    Wire::connect(addr).call(0, &ApiVersionsRequest::default());
}
