//! Something that cannot change threads is held over an `.await`.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "test.order.placed", version = 1, topic = "orders", no_key)]
struct Placed;

async fn handle(_: Placed) -> Result<(), Fail> {
    let count = std::rc::Rc::new(1);
    std::future::ready(()).await;
    drop(count);
    Ok(())
}

fn main() {
    let _ = Service::new("shop").on("handle", handle);
}
