//! An event outlives its record.
use serde::{Deserialize, Serialize};
use tidings::Event;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", key = id)]
struct Borrowed<'a> {
    id: &'a str,
}

fn main() {}
