//! Keys that are not there, or cannot be written as text.
use serde::{Deserialize, Serialize};
use tidings::Event;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", key = order)]
struct NoSuchField {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", key = lines)]
struct NotDisplay {
    lines: Vec<String>,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", key = id)]
enum MissingInOneVariant {
    Placed { id: String },
    Cancelled { order: String },
    Lost,
}

fn main() {}
