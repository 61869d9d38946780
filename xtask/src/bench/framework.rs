//! B12: the library beside a bare, tuned rdkafka client with the same settings. A service whose
//! handler does nothing against a loop that reads the same events; the publisher against rdkafka's
//! producers with the same records. Time, and what it cost the client's process.

use serde_json::{Value, json};

use super::figures::{Goal, Turns, grouped, number, table};
use super::side::{Cores, Kind, Side};
use super::{Plan, Section};
use crate::Outcome;

/// One way to do the same work: what it is called, and the words of the load program.
struct Way {
    name: &'static str,
    words: &'static [&'static str],
    /// Of the library to this way.
    goal: Goal,
}

/// The library is the last of the ways.
const READING: &[Way] = &[
    way("bare loop that counts", &["read", "--reads", "nothing"], Goal::AtLeast(0.8)),
    way("that looks at the type, too", &["read", "--reads", "type"], Goal::Open),
    way("that decodes the JSON, too", &["read", "--reads", "json"], Goal::Open),
    way("service", &["handle"], Goal::Open),
];
const PUBLISHING: &[Way] = &[
    way("`BaseProducer`", &["publish", "--by", "base"], Goal::Open),
    way("`FutureProducer`", &["publish", "--by", "future"], Goal::Open),
    way("`Publisher`", &["publish", "--by", "publisher"], Goal::Open),
];

const fn way(name: &'static str, words: &'static [&'static str], goal: Goal) -> Way {
    Way { name, words, goal }
}

/// What the turns of one way have shown.
#[derive(Default)]
struct Measured {
    per_second: Turns,
    cpu_us: Turns,
    switches: Turns,
}

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let (read, published) = if plan.quick { ("50000", "20000") } else { ("1000000", "300000") };
    let (mut markdown, mut figures) = (String::new(), Vec::new());
    for kind in [Kind::Process, Kind::Kafka] {
        // A service has the machine's cores, as its users have.
        let side = kind.start(plan, Cores::Any)?;
        side.load(plan, &["fill", "--events", read])?;
        for (what, ways, events) in
            [("handled", READING, read), ("published", PUBLISHING, published)]
        {
            let measured = take_turns(plan, &side, ways, events)?;
            let events = grouped(events.parse()?);
            markdown.push_str(&format!("{events} events {what}, {}:\n\n", kind.name()));
            markdown.push_str(&shown(kind, ways, &measured, &mut figures)?);
            markdown.push('\n');
        }
    }
    Ok(Section { markdown, figures: json!(figures) })
}

fn take_turns(plan: &Plan, side: &Side, ways: &[Way], events: &str) -> Outcome<Vec<Measured>> {
    let mut measured: Vec<Measured> = ways.iter().map(|_| Measured::default()).collect();
    for _pair in 0..plan.pairs {
        for (way, measured) in ways.iter().zip(&mut measured) {
            let said = side.load(plan, &[way.words, &["--events", events]].concat())?;
            measured.per_second.0.push(number(&said, "per_second")?);
            measured.cpu_us.0.push(number(&said, "cpu_us_per_event")?);
            measured.switches.0.push(number(&said, "switches_per_1000")?);
        }
    }
    Ok(measured)
}

fn shown(
    kind: Kind,
    ways: &[Way],
    measured: &[Measured],
    figures: &mut Vec<Value>,
) -> Outcome<String> {
    let ours = measured.last().ok_or("no way was measured")?;
    let mut rows = Vec::new();
    for (way, measured) in ways.iter().zip(measured) {
        let ratio = ours.per_second.to(&measured.per_second);
        let [rate, cpu, switches] =
            [&measured.per_second, &measured.cpu_us, &measured.switches].map(Turns::median);
        rows.push(vec![
            way.name.to_owned(),
            grouped(rate),
            ratio.to_string(),
            ratio.against(way.goal),
            format!("{cpu:.2} µs"),
            format!("{switches:.1}"),
        ]);
        figures.push(json!({
            "broker": kind.name(), "way": way.name, "per_second": rate, "ours_to_it": ratio.json(),
            "cpu_us_per_event": cpu, "switches_per_1000": switches,
        }));
    }
    let client = ["client's processor time per event", "its switches per 1,000 events"];
    let head = [&["", "events/s", "Tidings ÷ it", "goal"][..], &client].concat();
    Ok(table(&head, &rows))
}
