//! B9, B10 and B11: what the outbox costs a transaction, how fast a relay drains a backlog, and how
//! soon after its commit an event is with a consumer. On SQLite and on a PostgreSQL of its own.

use serde_json::json;

use super::figures::{Goal, Spread, Turns, grouped, number, table};
use super::side::{Cores, Kind, alone};
use super::{Plan, Section};
use crate::postgres::Postgres;
use crate::{Outcome, tidings};

/// The databases, each with the place that the load program is told.
struct Stores {
    sqlite: String,
    postgres: Postgres,
}

impl Stores {
    fn start() -> Outcome<Self> {
        let sqlite = tidings::fresh_dir("bench/outbox")?.join("outbox.db");
        Ok(Self { sqlite: sqlite.display().to_string(), postgres: Postgres::start()? })
    }

    fn places(&self) -> [(&'static str, String); 2] {
        [("SQLite", self.sqlite.clone()), ("PostgreSQL", self.postgres.url())]
    }

    fn stop(self) -> Outcome {
        self.postgres.stop()
    }
}

/// B9: the same transactions, with nothing, with a row by hand, with the outbox.
pub(super) fn write(plan: &Plan) -> Outcome<Section> {
    let stores = Stores::start()?;
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for (store, place) in stores.places() {
        for clients in ["1", "8", "32"] {
            let [mut nothing, mut by_hand, mut outbox] = [(); 3].map(|()| Turns::default());
            for _ in 0..plan.pairs {
                for (with, turns) in
                    [("nothing", &mut nothing), ("insert", &mut by_hand), ("outbox", &mut outbox)]
                {
                    let count = if plan.quick { "200" } else { "4000" };
                    let words = ["outbox-write", "--store", &place, "--clients", clients];
                    let rest = ["--transactions", count, "--with", with];
                    let said = alone(plan, Cores::Any, &[&words[..], &rest[..]].concat())?;
                    turns.0.push(number(&said, "per_second")?);
                }
            }
            let (to_hand, to_nothing) = (outbox.to(&by_hand), outbox.to(&nothing));
            rows.push(vec![
                store.to_owned(),
                clients.to_owned(),
                grouped(nothing.median()),
                grouped(by_hand.median()),
                grouped(outbox.median()),
                to_hand.to_string(),
                to_hand.against(Goal::AtLeast(0.9)),
                to_nothing.to_string(),
            ]);
            figures.push(json!({
                "store": store, "clients": clients, "outbox_per_second": outbox.median(),
                "of_insert": to_hand.json(), "of_nothing": to_nothing.json(),
            }));
        }
    }
    stores.stop()?;
    let head = [
        "store",
        "clients",
        "row alone",
        "row + INSERT by hand",
        "row + outbox",
        "outbox ÷ by hand",
        "goal",
        "outbox ÷ row alone",
    ];
    Ok(Section { markdown: table(&head, &rows), figures: json!(figures) })
}

/// B10: a backlog, and a scan of the same table.
pub(super) fn drain(plan: &Plan) -> Outcome<Section> {
    let stores = Stores::start()?;
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for (store, place) in stores.places() {
        for backlog in if plan.quick { &["1000"][..] } else { &["1000", "10000", "100000"] } {
            let (mut relay, mut scan) = (Turns::default(), Turns::default());
            for _ in 0..plan.pairs {
                let side = Kind::Process.start(plan, Cores::Any)?;
                let words = ["outbox-drain", "--store", &place, "--rows", backlog];
                let said = side.load(plan, &words)?;
                relay.0.push(number(&said, "per_second")?);
                scan.0.push(number(&said, "scan_per_second")?);
            }
            let ratio = relay.to(&scan);
            rows.push(vec![
                store.to_owned(),
                grouped(backlog.parse()?),
                grouped(scan.median()),
                grouped(relay.median()),
                ratio.to_string(),
                if store == "SQLite" { String::new() } else { ratio.against(Goal::AtLeast(0.5)) },
            ]);
            figures.push(json!({
                "store": store, "rows": backlog, "per_second": relay.median(),
                "of_scan": ratio.json(),
            }));
        }
    }
    stores.stop()?;
    let head = ["store", "rows", "scan, rows/s", "relay, rows/s", "relay ÷ scan", "goal"];
    Ok(Section { markdown: table(&head, &rows), figures: json!(figures) })
}

/// B11: from commit to consumer.
pub(super) fn latency(plan: &Plan) -> Outcome<Section> {
    let stores = Stores::start()?;
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for (store, place) in stores.places() {
        let mut spreads = Vec::new();
        for by in ["relay", "polling"] {
            let mut spread = Spread::new();
            for _ in 0..plan.pairs {
                let side = Kind::Process.start(plan, Cores::Any)?;
                let seconds = if plan.quick { "1" } else { "5" };
                let words = ["outbox-latency", "--store", &place, "--by", by, "--rate", "500"];
                spread.add(&side.load(plan, &[&words[..], &["--seconds", seconds]].concat())?)?;
            }
            spreads.push(spread);
        }
        let [relay, polling] = [&spreads[0], &spreads[1]];
        let ms = |us: f64| format!("{:.1} ms", us / 1000.0);
        let verdicts = [
            Goal::AtMost(5.0).verdict(relay.us(0.5) / 1000.0),
            Goal::AtMost(20.0).verdict(relay.us(0.99) / 1000.0),
        ];
        rows.push(vec![
            store.to_owned(),
            ms(relay.us(0.5)),
            ms(relay.us(0.99)),
            verdicts.join("; "),
            ms(polling.us(0.5)),
            ms(polling.us(0.99)),
        ]);
        figures.push(json!({ "store": store, "relay": relay.json(), "polling": polling.json() }));
    }
    stores.stop()?;
    let head = ["store", "relay p50", "p99", "goal", "polling p50", "p99"];
    Ok(Section { markdown: table(&head, &rows), figures: json!(figures) })
}
