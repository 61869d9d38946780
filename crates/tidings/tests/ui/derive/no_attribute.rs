//! An event that says nothing about itself.
use serde::{Deserialize, Serialize};
use tidings::Event;

#[derive(Event, Serialize, Deserialize)]
struct OrderPlaced {
    order_id: String,
}

fn main() {}
