//! The shop: the whole sample as fast as it goes, on the embedded broker and on Apache Kafka. The
//! same five processes and the same command, with another `--bootstrap`, without stores and with
//! them; a run whose sums do not agree is no run.

use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Plan, Section};
use crate::kafka::{self, Kafka};
use crate::tidings::{self, Broker};
use crate::{Outcome, load};

/// What the summary says of a run, beside the time that it took.
#[derive(Debug)]
struct Run {
    broker: &'static str,
    store: &'static str,
    orders: u64,
    published: u64,
    handled: u64,
    duplicates: u64,
    wall: f64,
    said: Value,
}

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let mut runs = sell_both(plan, "embedded, in memory, one command", None)?;

    let dir = tidings::fresh_dir("bench-shop")?;
    let broker = Broker::start(&plan.tidings, &dir.join("data"), &[])?;
    runs.extend(sell_both(plan, "`tidings broker --data` at `power`", Some(broker.bootstrap()))?);
    broker.stop()?;
    std::fs::remove_dir_all(dir)?;

    let mut kafka = Kafka::start(&kafka::Options::default())?;
    let bootstrap = kafka.bootstrap();
    // Java compiles while it runs: what it does cold is not what it does.
    let messages = if plan.quick { "20000" } else { "1000000" };
    let warm_up = ["produce", "--topic", "warm-up", "--messages", messages];
    load::run(&plan.load, &bootstrap, &warm_up)?;
    load::run(&plan.load, &bootstrap, &["consume", "--topic", "warm-up"])?;
    runs.extend(sell_both(plan, "Apache Kafka 4.3.1, page cache, warm", Some(&bootstrap))?);
    kafka.stop()?;

    let figures = runs.iter().map(|run| {
        let rate = run.rate();
        let (broker, store) = (run.broker, run.store);
        let (wall, said) = (run.wall, &run.said);
        json!({
            "broker": broker, "store": store, "wall_s": wall, "per_second": rate, "said": said,
        })
    });
    Ok(Section { markdown: table(&runs), figures: figures.collect() })
}

/// Without stores, then with them: on one broker it goes in this order only, since its groups name
/// the store that they worked with.
fn sell_both(plan: &Plan, broker: &'static str, bootstrap: Option<&str>) -> Outcome<Vec<Run>> {
    ["none", "sqlite"].into_iter().map(|store| sell(plan, broker, store, bootstrap)).collect()
}

/// One run of the whole sample; without `bootstrap` the command brings its own broker.
fn sell(
    plan: &Plan,
    broker: &'static str,
    store: &'static str,
    bootstrap: Option<&str>,
) -> Outcome<Run> {
    let mut command = Command::new(&plan.tidings);
    command.args(["dev", "--demo", "shop", "--rate", "max", "--exit", "--store", store]);
    command.args(["--orders", if plan.quick { "500" } else { "6919" }]);
    match bootstrap {
        Some(bootstrap) => command.args(["--bootstrap", bootstrap]),
        None => command.args(["--listen", "127.0.0.1:0"]),
    };
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    let wall = started.elapsed().as_secs_f64();
    let said = load::json(&output.stdout)?;
    if !output.status.success() {
        return Err(format!("{broker}: the shop ended with {}: {said}", output.status).into());
    }
    let orders = said["orders"]["placed"].as_u64().ok_or("the shop did not count its orders")?;
    let services = said["services"].as_object().ok_or("the shop names no services")?;
    let count = |what: &str| services.values().filter_map(|service| service[what].as_u64()).sum();
    let (published, handled) = (count("published"), count("received"));
    let duplicates = count("duplicate_effects");
    Ok(Run { broker, store, orders, published, handled, duplicates, wall, said })
}

impl Run {
    /// Events published per second of the whole command.
    fn rate(&self) -> f64 {
        self.published as f64 / self.wall
    }
}

fn table(runs: &[Run]) -> String {
    let mut text =
        "| broker | store | orders | published | handled | duplicate effects | wall time | \
         published/s |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for run in runs {
        let Run { broker, store, orders, published, handled, duplicates, wall, .. } = run;
        let rate = run.rate();
        text.push_str(&format!(
            "| {broker} | {store} | {orders} | {published} | {handled} | {duplicates} | \
             {wall:.1} s | {rate:.0} |\n"
        ));
    }
    text
}
