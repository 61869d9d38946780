//! B17: what a broker costs before anybody asks it for anything.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::figures::{Goal, Turns, table};
use super::proc::{Moment, open_files, resident_kib};
use super::side::{Cores, Kind, Side};
use super::{Plan, Section};
use crate::kafka::{self, Kafka};
use crate::tidings::{self, Broker};
use crate::{Outcome, load, place};

/// ApiVersions, version 0, correlation id 1, no client id.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
const IDLE: Duration = Duration::from_secs(10);
const QUICK_IDLE: Duration = Duration::from_secs(2);
/// Everything that a start leaves to do has been done by then.
const SETTLED: Duration = Duration::from_secs(2);

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let ready_ms = ready(plan)?;
    let binary_mib = std::fs::metadata(&plan.tidings)?.len() as f64 / f64::from(1 << 20);
    let ours = idle(plan, &Kind::Process.start(plan, Cores::Any)?)?;
    let began = Instant::now();
    let mut kafka = Kafka::start(&kafka::Options::default())?;
    answered(&kafka.bootstrap())?;
    let kafka_ready = began.elapsed();
    kafka.stop()?;
    let theirs = idle(plan, &Kind::Kafka.start(plan, Cores::Any)?)?;
    let kafka_ready_ms = kafka_ready.as_secs_f64() * 1000.0;
    let row = |what: &str, ours: String, goal: String, theirs: String| {
        vec![what.to_owned(), ours, goal, theirs]
    };
    let rows = [
        row(
            "start of the process to the first ApiVersions answer, median (max)",
            format!("{:.0} ms ({:.0})", ready_ms.median(), ready_ms.most()),
            Goal::AtMost(50.0).verdict(ready_ms.median()),
            format!("{kafka_ready_ms:.0} ms, formatting included"),
        ),
        row(
            "resident memory, idle",
            format!("{:.1} MB", ours.resident_mb),
            Goal::AtMost(15.0).verdict(ours.resident_mb),
            format!("{:.0} MB, after its warm-up", theirs.resident_mb),
        ),
        row(
            "of that, not pages of files",
            format!("{:.1} MB", ours.anonymous_mb),
            String::new(),
            format!("{:.0} MB", theirs.anonymous_mb),
        ),
        row(
            "CPU with one long-polling consumer, of a core",
            format!("{:.2} %", ours.cpu_percent),
            Goal::AtMost(0.5).verdict(ours.cpu_percent),
            format!("{:.2} %", theirs.cpu_percent),
        ),
        row(
            "wake-ups per second meanwhile",
            format!("{:.1}", ours.wake_ups),
            String::new(),
            format!("{:.1}", theirs.wake_ups),
        ),
        row("open files", ours.files.to_string(), String::new(), theirs.files.to_string()),
        row(
            "binary",
            format!("{binary_mib:.1} MiB"),
            Goal::AtMost(40.0).verdict(binary_mib),
            "54 MB of jars and Java".to_owned(),
        ),
    ];
    let head = ["", "embedded", "goal", "Apache Kafka"];
    let figures = json!({
        "ready_ms": ready_ms.median(), "ready_max_ms": ready_ms.most(),
        "kafka_ready_ms": kafka_ready_ms, "binary_mib": binary_mib,
        "embedded": ours.json(), "kafka": theirs.json(),
    });
    Ok(Section { markdown: table(&head, &rows), figures })
}

/// From the start of the process to the first answer, again and again.
fn ready(plan: &Plan) -> Outcome<Turns> {
    let mut turns = Turns::default();
    for _ in 0..plan.pairs.max(3) {
        let dir = tidings::fresh_dir("bench/ready")?;
        let began = Instant::now();
        let broker = Broker::start(&plan.tidings, &dir.join("data"), &[])?;
        answered(broker.bootstrap())?;
        turns.0.push(began.elapsed().as_secs_f64() * 1000.0);
        broker.stop()?;
    }
    std::fs::remove_dir_all(place::target().join("xtask/bench/ready"))?;
    Ok(turns)
}

fn answered(bootstrap: &str) -> Outcome {
    let mut stream = TcpStream::connect(bootstrap)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(&API_VERSIONS)?;
    Ok(stream.read_exact(&mut [0; 8])?)
}

/// An idle broker with a consumer that waits for records that do not come.
struct Idle {
    resident_mb: f64,
    anonymous_mb: f64,
    cpu_percent: f64,
    wake_ups: f64,
    files: usize,
}

fn idle(plan: &Plan, side: &Side) -> Outcome<Idle> {
    std::thread::sleep(SETTLED);
    let (resident, anonymous) = resident_kib(side.pid)?;
    side.create(plan, "idle", 1)?;
    let waiting = load::wait_for_records(&plan.load, &side.bootstrap, "idle")?;
    std::thread::sleep(SETTLED);
    let time = if plan.quick { QUICK_IDLE } else { IDLE };
    let before = Moment::of(side.pid)?;
    std::thread::sleep(time);
    let spent = Moment::of(side.pid)?.since(before);
    let files = open_files(side.pid)?;
    drop(waiting);
    Ok(Idle {
        resident_mb: resident as f64 * 1024.0 / 1e6,
        anonymous_mb: anonymous as f64 * 1024.0 / 1e6,
        cpu_percent: spent.cpu.as_secs_f64() / time.as_secs_f64() * 100.0,
        wake_ups: spent.switches as f64 / time.as_secs_f64(),
        files,
    })
}

impl Idle {
    fn json(&self) -> serde_json::Value {
        json!({
            "resident_mb": self.resident_mb, "anonymous_mb": self.anonymous_mb,
            "cpu_percent": self.cpu_percent, "wake_ups": self.wake_ups, "files": self.files,
        })
    }
}
