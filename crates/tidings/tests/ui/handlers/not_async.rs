//! The `async` is missing.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "test.order.placed", version = 1, topic = "orders", no_key)]
struct Placed;

fn handle(_: Placed) -> Result<(), Fail> {
    Ok(())
}

fn main() {
    let _ = Service::new("shop").on("handle", handle);
}
