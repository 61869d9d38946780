//! Where a fuzzer starts from: a few small inputs per target, made here from what the crates write
//! themselves and from the fixtures of the log, so that no corpus has to be kept in the tree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tidings::Timestamp;
use tidings::cloudevents::CloudEvent;
use tidings::dead_letter::DeadLetter;
use tidings::progress::{Outage, Progress};
use tidings_log::batch::Compression;
use tidings_log::testing::BatchBuilder;

use crate::input::piece;

/// Writes the seeds of a target into `dir`, one file each, with the inputs that once found
/// something beside them.
///
/// # Errors
/// What the disk says.
pub(crate) fn write(target: &str, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for (n, seed) in of(target)?.into_iter().enumerate() {
        fs::write(dir.join(format!("seed-{n:03}")), seed)?;
    }
    Ok(())
}

/// Seeds and regressions of a target.
///
/// # Errors
/// What the disk says.
pub(crate) fn of(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut seeds = match target {
        "stream" => streams(),
        "request" => requests(),
        "broker" => vec![requests().concat(), produce()],
        "batch" => batches(),
        "log" => logs()?,
        "journal" => vec![[&[0, 1][..], &pieces(&[b"{}"])].concat(), vec![1], journal()?],
        "entry" => entries(),
        "progress" => progress(),
        "event" => events(),
        "event_json" => event_lines(),
        "config" => configs(),
        "cli" => words(),
        _ => Vec::new(),
    };
    seeds.extend(regressions(target)?);
    Ok(seeds)
}

/// Inputs that found something once, in `fuzz/regressions/TARGET/`.
fn regressions(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let dir = here().join("regressions").join(target);
    match fs::read_dir(dir) {
        Ok(files) => files.map(|file| fs::read(file?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(path: &str) -> io::Result<Vec<u8>> {
    fs::read(here().join("../crates/tidings-log/tests/fixtures").join(path))
}

fn pieces(contents: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for content in contents {
        piece(&mut out, content);
    }
    out
}

/// Metadata v1 of all topics; ApiVersions v3; the same with a client's name.
fn streams() -> Vec<Vec<u8>> {
    let metadata = b"\0\0\0\x0e\0\x03\0\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff";
    let versions = b"\0\0\0\x11\0\x12\0\x03\0\0\0\x02\0\x02me\0\x02a\x02b\0";
    vec![metadata.to_vec(), versions.to_vec(), [&metadata[..], versions].concat()]
}

/// Each key once, in its first version and its last, with a body of zeros and one of ones.
fn requests() -> Vec<Vec<u8>> {
    let served = tidings_broker::fuzzing::requests().count() as u8;
    let bodies: [&[u8]; 4] = [&[0; 40], &[1; 40], b"\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0", &[2; 24]];
    let each = |key: u8| {
        bodies.into_iter().flat_map(move |body| {
            [0, 255].map(|version| [&[key, version][..], &pieces(&[body])].concat())
        })
    };
    (0..served).flat_map(each).collect()
}

/// Metadata v4 that creates the topic `t`, then a Produce v3 of one batch into it.
fn produce() -> Vec<u8> {
    let batch = BatchBuilder::new().record(1, Some(b"k"), Some(b"v")).build();
    let mut body = b"\xff\xff\xff\xff\0\0\x03\xe8\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0".to_vec();
    body.extend_from_slice(&(batch.len() as u32).to_be_bytes());
    body.extend_from_slice(&batch);
    let index = |key: i16| {
        let at = tidings_broker::fuzzing::requests().position(|(served, ..)| served == key);
        at.expect("it is served") as u8
    };
    let create = pieces(&[b"\0\0\0\x01\0\x01t\x01"]);
    [&[index(3), 4][..], &create, &[index(0), 0], &pieces(&[&body])].concat()
}

fn batches() -> Vec<Vec<u8>> {
    use Compression::{Gzip, Lz4, None, Snappy, Zstd};
    let built = |compression| {
        let batch = BatchBuilder::new()
            .record(5, Some(b"key"), Some(&[7; 300]))
            .record(3, Option::None, Some(b"value"))
            .record(9, Some(b""), Option::None);
        batch.compression(compression).producer(7, 0, 0).build()
    };
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for compression in [None, Gzip, Snappy, Lz4, Zstd] {
        let batch = built(compression);
        seeds.push([&[0], &batch[..]].concat());
        seeds.push([&[3], &batch[..]].concat());
    }
    // Snappy in the framing of Java.
    let plain = built(Snappy);
    let block = &plain[61..];
    let length = (block.len() as u32).to_be_bytes();
    let framing = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
    seeds.push([&[1], &plain[..61], framing, &length, block].concat());
    seeds
}

/// A file as the target `log` takes it: its kind, the number in its name, its content.
fn file(kind: u8, at: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, at];
    piece(&mut out, content);
    out
}

fn logs() -> io::Result<Vec<Vec<u8>>> {
    let load = |kind: u8, at: u8, extension: &str| {
        let path = format!("v1/topic/0/{at:020}.{extension}");
        Ok::<_, io::Error>(file(kind, at, &fixture(&path)?))
    };
    let (first, second, third) = (load(0, 0, "log")?, load(0, 9, "log")?, load(0, 18, "log")?);
    let indexes = [load(1, 0, "index")?, load(1, 9, "index")?, load(1, 18, "index")?];
    let producers = load(2, 18, "producers")?;
    let start = file(3, 0, &fixture("v1/topic/0/start")?);
    Ok(vec![
        first.clone(),
        [&first[..], &indexes[0]].concat(),
        [&first[..], &second, &third].concat(),
        [&first[..], &indexes[0], &second, &indexes[1], &third, &producers].concat(),
        [&third[..], &indexes[2], &producers, &start].concat(),
        [&file(0x80, 0, b"TDNGSEGM")[..], &start].concat(),
    ])
}

fn journal() -> io::Result<Vec<u8>> {
    Ok([&[1], &fixture("v1/meta/topics.journal")?[..]].concat())
}

fn entries() -> Vec<Vec<u8>> {
    let topic = concat!(
        r#"{"v":1,"topic":{"id":"00000000-0000-0000-0000-000000000007","name":"orders","#,
        r#""partitions":3,"config":{"retention.ms":"1000"}}}"#
    );
    let gone = r#"{"v":1,"deleted":{"id":"00000000-0000-0000-0000-000000000007","name":"x"}}"#;
    let commit =
        b"\x01\x01\0\x01g\0\x01t\0\0\0\x01\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\x09\0\0";
    vec![
        [&[0], topic.as_bytes()].concat(),
        [&[0], gone.as_bytes()].concat(),
        b"\x01{\"v\":1,\"cluster\":\"abc\"}".to_vec(),
        b"\x01{\"v\":1,\"producer_ids_below\":7}".to_vec(),
        [&[2], &commit[..]].concat(),
        b"\x02\x01\x02\0\x01g\0\x01t\0\0\0\x01".to_vec(),
        b"\x02\x01\x03\0\x01g".to_vec(),
        b"\x02\x01\x04\0\x01t".to_vec(),
        b"\x03\0\x01\0\0\0\x02\0\x01a\0\x02bc\0\0\0\0".to_vec(),
    ]
}

fn progress() -> Vec<Vec<u8>> {
    let runs = |finished: &[std::ops::Range<i64>]| Progress {
        committed: 100,
        handlers: vec!["pay".into(), "ship".into()],
        finished: finished.to_vec(),
        ..Progress::default()
    };
    let store = "01890000-0000-4000-8000-00000000002a".parse().ok();
    let with_store = Progress { store, ..runs(&[101..102, 104..105]) };
    let outage = Timestamp::from_millis(1_000).and_then(|since| Outage::new("ship", since));
    let with_outage = Progress { outages: outage.into_iter().collect(), ..with_store.clone() };
    let texts = [
        runs(&[]),
        runs(&[103..110, 200..201]),
        runs(&[101..102, 103..104, 105..109]),
        with_store,
        with_outage,
    ];
    let mut seeds: Vec<Vec<u8>> =
        texts.map(|p| [&[1], &100i64.to_be_bytes()[..], p.encode().as_bytes()].concat()).into();
    // Behind the magic and the version: offset, one handler, runs.
    seeds.push([&[0], &100i64.to_be_bytes()[..], b"\x64\x01\x03pay\0\x02\x03\x07"].concat());
    seeds.push([&[0], &100i64.to_be_bytes()[..], b"\x64\0\x01\x02\xaa\x01"].concat());
    seeds
}

fn events() -> Vec<Vec<u8>> {
    let event = CloudEvent {
        id: "a-1".to_owned().into(),
        source: "/shop".into(),
        ty: "t.v1".into(),
        time: Some("2026-01-31T10:41:07Z".into()),
        data: Some(Bytes::from_static(b"{}")),
        ..CloudEvent::default()
    };
    let letter = DeadLetter { topic: "orders".into(), ..DeadLetter::default() };
    let encode = |headers: Vec<(String, Option<Bytes>)>, value: &[u8]| {
        let mut out = vec![headers.len() as u8];
        for (name, content) in headers {
            out.extend_from_slice(&[0xf0, 0xf0]);
            piece(&mut out, name.as_bytes());
            piece(&mut out, content.as_deref().unwrap_or_default());
        }
        out.extend_from_slice(value);
        out
    };
    let structured = event.to_json_string();
    vec![
        encode(event.to_headers(), b"{}"),
        encode(letter.to_headers(), b""),
        [&[1, 7, 1], structured.as_bytes()].concat(),
        // Known names and values by their numbers.
        [&[4, 0, 0, 1, 3, 2, 3, 3, 3], &b"data"[..]].concat(),
    ]
}

fn event_lines() -> Vec<Vec<u8>> {
    [
        r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","data":{"n":1.50}}"#,
        r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","data_base64":"/wA=","x":true}"#,
        "{\"specversion\":\"1.0\"}\n\n{\"id\":7}\r\nnot json\n",
        r#"{"specversion":"1.0","id":"3","source":"/a","type":"t","data":1,"kafkakey":"k","y":-7}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

fn configs() -> Vec<Vec<u8>> {
    let file = "bootstrap = \"k:9092\"\nlog = \"json\"\n[kafka]\nlinger.ms = 5\nacks = \"all\"\n";
    let mut set = vec![2];
    set.extend(pieces(&[b"LINGER_MS", b"7"]));
    set.push(2);
    set.extend(pieces(&[b"http", b"127.0.0.1:0"]));
    set.push(0);
    vec![[&[0], file.as_bytes()].concat(), [&set[..], b"topic_partitions = 3\n"].concat()]
}

fn words() -> Vec<Vec<u8>> {
    [
        "beginning",
        "end",
        "-5",
        "2026-03-10T10:41:07Z",
        "2026-03-01T08:30",
        "10:41",
        "1h30m",
        "orders[3]@401",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
