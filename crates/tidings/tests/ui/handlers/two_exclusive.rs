//! Two arguments that each want the event for themselves.

use serde::{Deserialize, Serialize};
use tidings::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "test.order.placed", version = 1, topic = "orders", no_key)]
struct Placed;

use tidings::{Context, FromEvent};

struct Lock;

impl FromEvent for Lock {
    const EXCLUSIVE: bool = true;

    async fn from_event(_: &mut Context) -> Result<Lock, Fail> {
        Ok(Lock)
    }
}

async fn handle(_: Placed, _: Lock, _: Lock) -> Result<(), Fail> {
    Ok(())
}

fn main() {
    let _ = Service::new("shop").on("handle", handle);
}
