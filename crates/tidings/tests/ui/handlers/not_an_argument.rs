//! An argument that nobody can make.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "test.order.placed", version = 1, topic = "orders", no_key)]
struct Placed;

struct Bank;

async fn handle(_: Placed, _: Bank) -> Result<(), Fail> {
    Ok(())
}

fn main() {
    let _ = Service::new("shop").on("handle", handle);
}
