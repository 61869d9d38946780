//! A derive of serde that was forgotten is one error, not eight.
use serde::Serialize;
use tidings::Event;

#[derive(Event, Serialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", key = id)]
struct OnlySerialize {
    id: String,
}

fn main() {}
