//! Publishing and collecting what is no event.
use tidings::{Events, IntoEvents, Publisher};

struct Plain;

#[derive(Events)]
enum Outcome {
    Good(Plain),
}

fn returned() -> impl IntoEvents {
    Plain
}

async fn published(publisher: Publisher) {
    let _ = publisher.publish(Plain).await;
}

fn main() {}
