//! R18: too much of everything. An announced giant costs nothing, a batch over the topic's limit is
//! refused by its right code, and a batch of 1 MiB whose records decompress to a gibibyte costs
//! neither memory nor the broker when a time is looked up in it.

use std::io::Write;

use bytes::{BufMut, BytesMut};
use flate2::write::GzEncoder;

use super::process::Process;
use super::row;
use crate::support::{Wire, eventually, now_ms, offset_at, produce, topic};

const MIB: usize = 1 << 20;
const GIB: u64 = 1 << 30;
const GROWTH_LIMIT_KIB: u64 = 64 << 10;
const MESSAGE_TOO_LARGE: i16 = 10;

/// A batch of one record, as far as its header says, with these bytes as its records.
fn batch_of(codec: i16, records: &[u8]) -> bytes::Bytes {
    let mut out = BytesMut::with_capacity(61 + records.len());
    out.put_i64(0);
    out.put_i32((49 + records.len()) as i32);
    out.put_i32(-1);
    out.put_slice(&[2, 0, 0, 0, 0]);
    out.put_i16(codec);
    out.put_i32(0);
    out.put_i64(now_ms());
    out.put_i64(now_ms());
    out.put_i64(-1);
    out.put_i16(-1);
    out.put_i32(-1);
    out.put_i32(1);
    out.put_slice(records);
    let crc = crc32c::crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.freeze()
}

/// The start of one record of a gibibyte: its length, attributes, times, key, value's length.
fn record_head() -> Vec<u8> {
    let varint = |value: i64, out: &mut Vec<u8>| {
        let mut rest = (value << 1) as u64;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    };
    let mut head = Vec::new();
    varint(GIB as i64 + 20, &mut head);
    // Attributes, timestamp delta, offset delta, no key; then a value of a gibibyte.
    head.extend_from_slice(&[0, 0, 0, 1]);
    varint(GIB as i64, &mut head);
    head
}

fn gzip() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&record_head()).expect("memory takes it");
    let zeros = vec![0; MIB];
    for _ in 0..1024 {
        encoder.write_all(&zeros).expect("memory takes it");
    }
    encoder.finish().expect("memory takes it")
}

/// A frame of blocks that repeat one byte (RFC 8878, 3.1.1.2.2): four bytes for each 128 KiB. The
/// window is what the frame says, and a decoder must hold that much.
fn zstd(window: u8) -> Vec<u8> {
    let mut out = b"\x28\xb5\x2f\xfd".to_vec();
    out.extend_from_slice(&[0, window]);
    let head = record_head();
    // A raw block for the head of the record.
    out.extend_from_slice(&((head.len() as u32) << 3).to_le_bytes()[..3]);
    out.extend_from_slice(&head);
    let block = 128 << 10;
    let blocks = GIB as u32 / block;
    for n in 0..blocks {
        let last = u32::from(n + 1 == blocks);
        out.extend_from_slice(&(last | 1 << 1 | block << 3).to_le_bytes()[..3]);
        out.push(0);
    }
    out
}

/// Frames of independent blocks of 4 MiB: a long match of zeros is 255 bytes for each byte.
fn lz4() -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(&record_head()).expect("memory takes it");
    let zeros = vec![0; MIB];
    for _ in 0..230 {
        encoder.write_all(&zeros).expect("memory takes it");
    }
    encoder.finish().expect("memory takes it")
}

/// Raw snappy that claims a gibibyte, and Java's framing with as many blocks as fit.
fn snappy() -> [Vec<u8>; 2] {
    let claims = vec![0x80, 0x80, 0x80, 0x80, 0x04, 0, 0];
    let zeros = vec![0; 16 * MIB];
    let block = snap::raw::Encoder::new().compress_vec(&zeros).expect("memory takes it");
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    framed.extend_from_slice(&(block.len() as u32).to_be_bytes());
    framed.extend_from_slice(&block);
    [claims, framed]
}

#[test]
#[ignore = "needs the release binary: cargo xtask hostile"]
fn bombs_cost_no_memory_and_giants_are_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data");
    let flags = ["--data", data.to_str().expect("UTF-8"), "--durability", "process"];
    let broker = Process::start(home.path(), &flags);
    let mut wire = Wire::connect(broker.addr);
    wire.stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).expect("timeout");
    let [raw_snappy, framed_snappy] = snappy();
    let bombs = [
        ("gzip", 1, gzip()),
        ("snappy_claim", 2, raw_snappy),
        ("snappy_framed", 2, framed_snappy),
        ("lz4", 3, lz4()),
        ("zstd_128k", 4, zstd(7 << 3)),
        ("zstd_8m", 4, zstd(13 << 3)),
        ("zstd_64m", 4, zstd(16 << 3)),
        ("zstd_2g", 4, zstd(21 << 3)),
    ];
    for (name, codec, packed) in bombs {
        topic(&mut wire, name, 1, &[]);
        let batch = batch_of(codec, &packed);
        assert!(batch.len() <= MIB + 12, "{name} has {} bytes", batch.len());
        assert_eq!(produce(&mut wire, name, 0, batch.clone()).error, 0, "it is opaque to a broker");
        broker.reset_peak();
        let before = broker.rss_kib();
        for _ in 0..3 {
            let (offset, _, error) = offset_at(&mut wire, name, 0, 1);
            assert_eq!((offset, error), (0, 0), "with the batch's precision at least");
            let (offset, _, error) = offset_at(&mut wire, name, 0, -3);
            assert_eq!((offset, error), (0, 0));
        }
        let grown = broker.peak_kib().saturating_sub(before);
        row(&format!("R18.{name}.bytes"), batch.len(), "<= 1048588");
        row(&format!("R18.{name}.peak_growth_kib"), grown, "<= 65536");
        assert!(grown <= GROWTH_LIMIT_KIB, "{name}: {grown} KiB");
    }
    too_large(&broker, &mut wire);
    announced_giants(&broker);
}

fn too_large(broker: &Process, wire: &mut Wire) {
    topic(wire, "small", 1, &[("max.message.bytes", "1000")]);
    let before = broker.rss_kib();
    assert_eq!(produce(wire, "small", 0, batch_of(0, &[0; 939])).error, 0, "just fits");
    assert_eq!(produce(wire, "small", 0, batch_of(0, &[0; 940])).error, MESSAGE_TOO_LARGE);
    for _ in 0..50 {
        let produced = produce(wire, "gzip", 0, batch_of(0, &[7; MIB]));
        assert_eq!(produced.error, MESSAGE_TOO_LARGE, "{produced:?}");
        assert!(produced.message.expect("a sentence").contains("more than the limit"));
    }
    let grown = broker.rss_kib().saturating_sub(before);
    row("R18.too_large.growth_kib", grown, "<= 65536");
    assert!(grown <= GROWTH_LIMIT_KIB, "{grown} KiB");
}

/// 50 connections announce 100 MiB each and send a little; 50 announce more than is read.
fn announced_giants(broker: &Process) {
    let before = broker.rss_kib();
    let mut announced: Vec<Wire> = (0..50).map(|_| Wire::connect(broker.addr)).collect();
    for wire in &mut announced {
        wire.send_bytes(&(100_u32 << 20).to_be_bytes()).expect("sent");
        wire.send_bytes(&[0; 512]).expect("sent");
    }
    for length in [(100 << 20) + 1, i32::MAX, -1, i32::MIN, 0, 7] {
        for _ in 0..9 {
            let mut wire = Wire::connect(broker.addr);
            wire.send_bytes(&length.to_be_bytes()).expect("sent");
            assert!(wire.is_closed(), "{length} is no length of a request");
        }
    }
    let mut good = Wire::connect(broker.addr);
    eventually("a good client is served", || offset_at(&mut good, "small", 0, -1).0 == 1);
    let grown = broker.rss_kib().saturating_sub(before);
    row("R18.announced.growth_kib", grown, "<= 65536");
    assert!(grown <= GROWTH_LIMIT_KIB, "{grown} KiB");
}
