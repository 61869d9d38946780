//! Values that cannot be right.
use serde::{Deserialize, Serialize};
use tidings::Event;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a.v1", version = 1, topic = "orders", key = id)]
struct VersionInType {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 0, topic = "orders", key = id)]
struct VersionZero {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = "1", topic = "orders", key = id)]
struct VersionText {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "my orders", key = id)]
struct TopicWithSpace {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", key = "id")]
struct KeyAsText {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", key = self.id)]
struct KeyWithSelf {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", keys = id)]
struct Misspelled {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, topic = "orders", key = id, no_key)]
struct KeyAndNoKey {
    id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(type = "com.example.a", version = 1, version = 2, topic = "orders", key = id)]
struct Twice {
    id: String,
}

fn main() {}
