//! Each part that is missing is named, one at a time.
use serde::{Deserialize, Serialize};
use tidings::Event;

#[derive(Event, Serialize, Deserialize)]
#[event(version = 1, topic = "orders", key = id)]
struct NoType {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", topic = "orders", key = id)]
struct NoVersion {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, key = id)]
struct NoTopic {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "orders")]
struct NoKey {
    id: String,
}

fn main() {}
