//! The shop: the whole sample as fast as it goes.

use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::json;

use super::{Plan, Section};
use crate::{Outcome, load};

pub(super) fn run(plan: &Plan) -> Outcome<Section> {
    let started = Instant::now();
    let output = Command::new(&plan.tidings)
        .args(["dev", "--demo", "shop", "--rate", "max", "--exit", "--listen", "127.0.0.1:0"])
        .args(["--orders", if plan.quick { "500" } else { "6919" }])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    let wall = started.elapsed().as_secs_f64();
    let said = load::json(&output.stdout)?;
    if !output.status.success() {
        return Err(format!("the shop ended with {}: {said}", output.status).into());
    }
    let orders = said["orders"]["placed"].as_u64().ok_or("the shop did not count its orders")?;
    let services = said["services"].as_object().ok_or("the shop names no services")?;
    let count = |what: &str| services.values().filter_map(|service| service[what].as_u64()).sum();
    let (published, received): (u64, u64) = (count("published"), count("received"));
    let per_second = published as f64 / wall;
    let markdown = format!(
        "| orders | events published | events handled | wall time | events published per second |\n\
         |---|---|---|---|---|\n\
         | {orders} | {published} | {received} | {wall:.1} s | {per_second:.0} |\n"
    );
    Ok(Section {
        markdown,
        figures: json!({ "wall_s": wall, "per_second": per_second, "said": said }),
    })
}
