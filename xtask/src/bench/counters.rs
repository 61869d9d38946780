//! What noise cannot move: system calls, fdatasyncs, bytes, allocations and instructions per
//! message of the embedded broker.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::figures::{Goal, number, table};
use super::proc::Moment;
use super::side::{Cores, Kind};
use super::syscalls::Watch;
use super::{Plan, Section};
use crate::process::{Owned, tail};
use crate::{Outcome, load, place, tidings};

/// What is counted: name, level, words of the load program, messages or requests.
struct Task {
    name: &'static str,
    kind: Kind,
    words: &'static [&'static str],
    messages: u64,
    bytes: u64,
    /// Goals for system calls and for bytes written per byte received.
    calls: Goal,
}

const PRODUCE_1K: &[&str] = &["produce", "--size", "1024", "--messages", "200000"];
const TASKS: &[Task] = &[
    Task {
        name: "produce 1 KiB, `process`",
        kind: Kind::Process,
        words: PRODUCE_1K,
        messages: 200_000,
        bytes: 1024,
        calls: Goal::AtMost(0.02),
    },
    Task {
        name: "produce 1 KiB, `power`",
        kind: Kind::Power,
        words: PRODUCE_1K,
        messages: 200_000,
        bytes: 1024,
        calls: Goal::AtMost(0.02),
    },
    Task {
        name: "produce 256 B, one in flight, `process`",
        kind: Kind::Process,
        words: &["round-trip", "--count", "2000"],
        messages: 2200,
        bytes: 256,
        calls: Goal::AtMost(6.0),
    },
    Task {
        name: "produce 256 B, one in flight, `power`",
        kind: Kind::Power,
        words: &["round-trip", "--count", "300"],
        messages: 500,
        bytes: 256,
        calls: Goal::Open,
    },
    Task {
        name: "consume 1 KiB",
        kind: Kind::Process,
        words: &["consume"],
        messages: 200_000,
        bytes: 1024,
        calls: Goal::AtMost(0.02),
    },
];
/// Two runs, so that what start and stop cost falls out.
const UNDER_VALGRIND: [u64; 2] = [20_000, 60_000];
const VALGRIND_STARTS: Duration = Duration::from_secs(60);

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for task in TASKS {
        let side = task.kind.start(plan, Cores::Any)?;
        side.create(plan, "counted", 1)?;
        if task.words[0] == "consume" {
            side.load(plan, &[PRODUCE_1K, &["--topic", "counted"]].concat())?;
        }
        let words = [task.words, &["--topic", "counted"]].concat();
        let before = Moment::of(side.pid)?;
        let watch = Watch::start(side.pid)?;
        side.load(plan, &words)?;
        let calls = watch.stop()?;
        let spent = Moment::of(side.pid)?.since(before);
        let per = |count: u64| count as f64 / task.messages as f64;
        let written = per(spent.written_bytes) / task.bytes as f64;
        figures.push(json!({
            "task": task.name, "calls": per(calls.all), "fdatasyncs": per(calls.fdatasyncs),
            "written_per_byte": written, "by_name": calls.by_name(task.messages),
        }));
        rows.push(vec![
            task.name.to_owned(),
            format!("{:.4}", per(calls.all)),
            task.calls.verdict(per(calls.all)),
            format!("{:.5}", per(calls.fdatasyncs)),
            format!("{written:.2}"),
            calls.words(task.messages),
        ]);
    }
    let allocations = allocations(plan)?;
    let instructions = instructions(plan)?;
    let head = ["per message", "system calls", "goal", "fdatasyncs", "written/received", "calls"];
    let goal = Goal::AtMost(0.05).verdict(allocations);
    let more = format!(
        "\nProduce at 1 KiB costs {allocations:.4} allocations per message (the goal of none per \
         message is taken as {goal}) and {instructions:.0} instructions per message in user space \
         (callgrind).\n"
    );
    Ok(Section {
        markdown: table(&head, &rows) + &more,
        figures: json!({
            "counted": figures, "allocations": allocations, "instructions": instructions,
        }),
    })
}

/// Allocations per message, by the broker inside of a program that counts them.
fn allocations(plan: &Plan) -> Outcome<f64> {
    let program = load::build_counted()?;
    let data = tidings::fresh_dir("bench/counted")?;
    let child = Command::new(program)
        .arg("--data")
        .arg(data.join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut process = Owned::new(child);
    let mut ask = process.child().stdin.take().ok_or("no standard input")?;
    let answers = process.child().stdout.take().ok_or("no standard output")?;
    let mut answers = BufReader::new(answers).lines();
    let mut next = || answers.next().ok_or("the counting broker ended").map_err(String::from);
    let first = next()??;
    let bootstrap = first.strip_prefix("listening ").ok_or("the counting broker does not serve")?;
    let mut counted = Vec::new();
    for messages in ["100000", "300000"] {
        let words = ["produce", "--topic", "t", "--size", "1024", "--messages", messages];
        load::run(&plan.load, bootstrap, &words)?;
        writeln!(ask, "count")?;
        let said: Value = serde_json::from_str(&next()??)?;
        counted.push(number(&said, "allocations")?);
    }
    drop(ask);
    process.wait(Duration::from_secs(10))?;
    std::fs::remove_dir_all(data)?;
    Ok((counted[1] - counted[0]) / 300_000.0)
}

/// Instructions per message in user space, by two runs of the real binary under callgrind.
fn instructions(plan: &Plan) -> Outcome<f64> {
    crate::kafka::need("valgrind", "--version", "valgrind")?;
    let mut counted = Vec::new();
    for messages in UNDER_VALGRIND {
        counted.push(under_valgrind(plan, messages)?);
    }
    Ok((counted[1] - counted[0]) / (UNDER_VALGRIND[1] - UNDER_VALGRIND[0]) as f64)
}

fn under_valgrind(plan: &Plan, messages: u64) -> Outcome<f64> {
    let dir = tidings::fresh_dir("bench/valgrind")?;
    let out = dir.join("err");
    let child = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(&plan.tidings)
        .args(["broker", "--listen", "127.0.0.1:0", "--durability", "process", "--data"])
        .arg(dir.join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&out)?)
        .spawn()?;
    let mut process = Owned::new(child);
    let stdout = process.child().stdout.take().ok_or("no standard output")?;
    let mut first = String::new();
    BufReader::new(stdout).read_line(&mut first)?;
    let bootstrap = first.strip_prefix("listening ").map(str::trim);
    let bootstrap = bootstrap.ok_or_else(|| format!("no start:\n{}", tail(&out, 2000)))?;
    let messages = messages.to_string();
    let words = ["produce", "--topic", "t", "--size", "1024", "--messages", &messages];
    load::run(&plan.load, bootstrap, &words)?;
    process.stop(VALGRIND_STARTS)?;
    let said = std::fs::read_to_string(&out)?;
    let counted = said.lines().find_map(|line| line.split_once("Collected :"));
    let counted = counted.ok_or("callgrind does not say what it counted")?.1.trim();
    std::fs::remove_dir_all(place::target().join("xtask/bench/valgrind"))?;
    Ok(counted.parse::<f64>()?)
}
