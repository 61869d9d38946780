//! What is returned is no event.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "test.order.placed", version = 1, topic = "orders", no_key)]
struct Placed;

async fn handle(_: Placed) -> Result<String, Fail> {
    Ok(String::new())
}

fn main() {
    let _ = Service::new("shop").on("handle", handle);
}
