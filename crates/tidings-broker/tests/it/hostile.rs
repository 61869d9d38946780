//! Nonsense from one client must not touch another, nor cost memory.

use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, JoinGroupRequest, MetadataRequest};
use proptest::prelude::Rng as _;
use proptest::test_runner::{Config as Proptest, TestRng, TestRunner};
use tidings_broker::{Broker, Config};

use crate::support::{Wire, batch, eventually, fetch, frame, memory, produce, topic};

/// Resident memory of this process in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

fn with_length(body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_u32(body.len() as u32);
    out.put_slice(body);
    out
}

/// One malformed message of many kinds.
fn nonsense(rng: &mut TestRng) -> BytesMut {
    let mut random = |bytes: usize| (0..bytes).map(|_| rng.next_u32() as u8).collect::<Vec<u8>>();
    let kind = random(1)[0] % 8;
    let head = |key: i16, version: i16| {
        let mut out = BytesMut::new();
        out.put_i16(key);
        out.put_i16(version);
        out.put_i32(1);
        out.put_i16(-1);
        out
    };
    match kind {
        0 => BytesMut::from(&random(200)[..]),
        1 => with_length(&random(200)),
        2 => {
            let mut out = BytesMut::new();
            out.put_i32([i32::MAX, -1, i32::MIN, 0, 7][random(1)[0] as usize % 5]);
            out
        }
        3 => with_length(&head(i16::from(random(1)[0]) + 70, 0)),
        4 => {
            // An array of two thousand million topics, or of fewer than none.
            let mut out = head(3, 1);
            out.put_i32(if random(1)[0] % 2 == 0 { i32::MAX } else { -7 });
            with_length(&out)
        }
        5 => {
            let mut out = head(3, 9);
            out.put_u8(0);
            out.put_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
            with_length(&out)
        }
        6 => {
            let request = JoinGroupRequest::default();
            let mut out = frame(1, 5, &request);
            let at = 10 + random(1)[0] as usize % (out.len() - 10);
            out[at] ^= 0x80;
            out
        }
        _ => {
            let out = frame(1, 9, &MetadataRequest::default());
            let keep = 4 + random(1)[0] as usize % (out.len() - 4);
            BytesMut::from(&out[..keep])
        }
    }
}

#[tokio::test]
async fn ten_thousand_malformed_requests_beside_a_good_client() {
    let broker = memory().await;
    let addr = broker.addr();
    let mut good = Wire::connect(addr);
    topic(&mut good, "t", 1, &[]);
    let before_kib = resident_kib();
    let bad = std::thread::spawn(move || {
        let mut runner = TestRunner::new(Proptest::default());
        for _ in 0..10_000 {
            let mut wire = Wire::connect(addr);
            // The broker may close while this is being sent.
            let _ = wire.send_bytes(&nonsense(runner.rng()));
        }
    });
    let (mut sent, mut slowest) = (0, Duration::ZERO);
    while !bad.is_finished() {
        let began = Instant::now();
        let produced = produce(&mut good, "t", 0, batch(1));
        assert_eq!((produced.error, produced.offset), (0, sent));
        sent += 1;
        assert_eq!(fetch(&mut good, "t", 0, sent - 1, 0).high_watermark, sent);
        slowest = slowest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bad.join().expect("the bad client did its worst");
    assert!(sent > 10, "the good client worked meanwhile");
    assert!(slowest < Duration::from_secs(1), "a good request took {slowest:?}");
    let grown_kib = resident_kib().saturating_sub(before_kib);
    assert!(grown_kib < 100 << 10, "memory grew by {grown_kib} KiB");
    eventually("only the good connection is left", || broker.stats().connections == 1);
}

#[tokio::test]
async fn an_announced_giant_costs_nothing_until_it_comes() {
    let broker = memory().await;
    let before_kib = resident_kib();
    let mut wires: Vec<Wire> = (0..50).map(|_| Wire::connect(broker.addr())).collect();
    for wire in &mut wires {
        wire.send_bytes(&(100_u32 << 20).to_be_bytes()).expect("sent");
        wire.send_bytes(&[0, 0, 0, 9]).expect("sent");
    }
    let mut good = Wire::connect(broker.addr());
    good.call(0, &ApiVersionsRequest::default());
    let grown_kib = resident_kib().saturating_sub(before_kib);
    assert!(grown_kib < 150 << 10, "memory grew by {grown_kib} KiB");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away() {
    let config = Config { max_connections: 2, ..Config::memory() };
    let broker = Broker::start(config).await.expect("starts");
    let mut first = Wire::connect(broker.addr());
    let mut second = Wire::connect(broker.addr());
    first.call(0, &ApiVersionsRequest::default());
    second.call(0, &ApiVersionsRequest::default());
    assert!(Wire::connect(broker.addr()).is_closed());
    drop(second);
    eventually("a place is free", || broker.stats().connections == 1);
    Wire::connect(broker.addr()).call(0, &ApiVersionsRequest::default());
    first.call(0, &ApiVersionsRequest::default());
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let config = Config { idle_timeout: Duration::from_millis(50), ..Config::memory() };
    let broker = Broker::start(config).await.expect("starts");
    let mut wire = Wire::connect(broker.addr());
    wire.call(0, &ApiVersionsRequest::default());
    assert!(wire.is_closed());
}

#[tokio::test]
async fn an_unknown_key_or_version_closes_the_connection() {
    let broker = memory().await;
    let mut wire = Wire::connect(broker.addr());
    wire.send_bytes(&with_length(&[0, 99, 0, 0, 0, 0, 0, 1, 0xff, 0xff])).expect("sent");
    assert!(wire.is_closed());
    let mut wire = Wire::connect(broker.addr());
    wire.send_bytes(&with_length(&[0, 3, 0, 13, 0, 0, 0, 1, 0xff, 0xff, 0])).expect("sent");
    assert!(wire.is_closed());
}
