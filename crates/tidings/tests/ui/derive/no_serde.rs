//! A derive of serde that was forgotten is one error, not eight.
use serde::{Deserialize, Serialize};
use tidings::Event;

#[derive(Event, Serialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", key = id)]
struct OnlySerialize {
    id: String,
}

#[derive(Event, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", key = id)]
struct OnlyDeserialize {
    id: String,
}

fn main() {}
