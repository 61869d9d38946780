//! The shop, headless, on both: the command itself fails unless every order is final and the sums
//! of its five services agree.

use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::{Ground, Side};
use crate::Outcome;

/// Seconds on either broker; `--orders 6919` is the whole sample.
const ORDERS: u32 = 1_000;

#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) side: Side,
    orders: u32,
    seconds: f64,
    ok: bool,
    said: Value,
}

pub(super) fn run(ground: &Ground, orders: Option<u32>) -> Outcome<Vec<Run>> {
    let orders = orders.unwrap_or(ORDERS);
    let mut runs = Vec::new();
    for side in [Side::Embedded, Side::Kafka] {
        let began = Instant::now();
        let output = Command::new(&ground.binary)
            .args(["dev", "--demo", "shop", "--rate", "max", "--exit"])
            .args(["--bootstrap", &ground.bootstrap(side), "--orders", &orders.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let said = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
        let run = Run {
            side,
            orders,
            seconds: began.elapsed().as_secs_f64(),
            ok: output.status.success() && said.is_some(),
            said: said.unwrap_or(Value::Null),
        };
        println!("  {} orders on {}: {:.1} s: {}", orders, side.name(), run.seconds, run.said);
        runs.push(run);
    }
    Ok(runs)
}

impl Run {
    pub(super) fn failure(&self) -> Option<String> {
        let said = format!("the shop on {}: {}", self.side.name(), self.said);
        (!self.ok).then_some(said)
    }
}
