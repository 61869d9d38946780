//! Growth in breadth: the same messages spread over more partitions, and among more topics.

use std::time::Duration;

use serde_json::json;

use super::figures::{Goal, Turns, grouped, number, table};
use super::proc::{Moment, open_files, resident_kib};
use super::side::{Cores, Kind, Side};
use super::{Plan, Section};
use crate::Outcome;

const COUNTS: [usize; 4] = [1, 10, 100, 1000];
const MESSAGES: u64 = 600_000;
const QUICK_MESSAGES: u64 = 60_000;
/// What creating topics leaves to do has been done by then.
const SETTLED: Duration = Duration::from_millis(500);

/// What was measured with so many partitions or topics.
struct At {
    count: usize,
    rate: Turns,
    limit: Turns,
    cpu_us: Turns,
    idle_kib: u64,
    files: usize,
}

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let counts = COUNTS.map(|count| count.to_string()).join(",");
    let null = Side::helper(plan, &["null-broker", "--partitions", &counts], Cores::Apart)?;
    let mut partitions = Vec::new();
    let mut topics = Vec::new();
    for count in COUNTS {
        partitions.push(at(plan, &null, count, Grow::Partitions)?);
        topics.push(at(plan, &null, count, Grow::Topics)?);
    }
    let (one, two) = (render("partitions", &partitions), render("topics", &topics));
    Ok(Section {
        markdown: format!("{}\n{}", one.markdown, two.markdown),
        figures: json!({ "partitions": one.figures, "topics": two.figures }),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grow {
    Partitions,
    Topics,
}

fn at(plan: &Plan, null: &Side, count: usize, grow: Grow) -> Outcome<At> {
    let side = Kind::Process.start(plan, Cores::Apart)?;
    let (topics, partitions) = if grow == Grow::Topics { (count, 1) } else { (1, count) };
    let words = [topics.to_string(), partitions.to_string()];
    side.load(plan, &["topics", "--count", &words[0], "--partitions", &words[1]])?;
    std::thread::sleep(SETTLED);
    let (idle_kib, files) = (resident_kib(side.pid)?.1, open_files(side.pid)?);
    let messages = if plan.quick { QUICK_MESSAGES } else { MESSAGES };
    let mut at = At {
        count,
        rate: Turns::default(),
        limit: Turns::default(),
        cpu_us: Turns::default(),
        idle_kib,
        files,
    };
    for _ in 0..plan.pairs.min(3) {
        let before = Moment::of(side.pid)?;
        at.rate.0.push(produced(plan, &side, "topic-0", messages)?);
        let cpu = Moment::of(side.pid)?.since(before).cpu;
        at.cpu_us.0.push(cpu.as_secs_f64() * 1e6 / messages as f64);
        at.limit.0.push(produced(plan, null, &format!("null-{partitions}"), messages)?);
    }
    Ok(at)
}

fn produced(plan: &Plan, side: &Side, topic: &str, messages: u64) -> Outcome<f64> {
    let messages = messages.to_string();
    let words = ["produce", "--topic", topic, "--size", "256", "--messages", &messages];
    number(&side.load(plan, &words)?, "per_second")
}

fn render(what: &str, all: &[At]) -> Section {
    let first = &all[0];
    let mut figures = Vec::new();
    let rows: Vec<_> = (all.iter())
        .map(|at| {
            let (rate, limit, cpu) = (at.rate.median(), at.rate.to(&at.limit), at.cpu_us.median());
            let of_one = rate / first.rate.median();
            let each_kib = at.idle_kib.saturating_sub(first.idle_kib) as f64 / at.count as f64;
            figures.push(json!({
                "count": at.count, "per_second": rate, "to_null": limit.json(), "cpu_us": cpu,
                "anonymous_kib": at.idle_kib, "files": at.files,
            }));
            vec![
                at.count.to_string(),
                format!("{} ({of_one:.2} ×)", grouped(rate)),
                Goal::AtLeast(0.75).verdict(of_one),
                limit.to_string(),
                format!("{cpu:.2} µs"),
                format!("{each_kib:.1} KiB"),
                Goal::AtMost(4.0).verdict(each_kib),
                at.files.to_string(),
            ]
        })
        .collect();
    let head = [
        what,
        "messages/s",
        "goal",
        "of the null broker",
        "CPU per message",
        "memory each, idle",
        "goal",
        "open files",
    ];
    Section { markdown: table(&head, &rows), figures: json!(figures) }
}
