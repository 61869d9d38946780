//! A handler returns a `Result`.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "test.order.placed", version = 1, topic = "orders", no_key)]
struct Placed;

async fn handle(_: Placed) -> Placed {
    Placed
}

fn main() {
    let _ = Service::new("shop").on("handle", handle);
}
