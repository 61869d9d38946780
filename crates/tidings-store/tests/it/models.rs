//! Protocols looked through completely: everything that those who take part can do to each other in
//! small cases, in every order, with mistakes that are built in and have to be found. A model needs
//! no database and says nothing about the SQL, which has tests of its own: it says that the way in
//! which the statements are put together keeps what is promised.
//!
//! - `outbox`: writers, the outbox's rows, slots with leases, relays and brokers.
//! - `parking`: the lanes of a consumer, its inbox, parked keys and their drain.
//! - `explorer`: how they are looked through.

mod explorer;
mod outbox;
mod parking;

use std::time::Instant;

use explorer::{Model, explore};

/// Looks at everything that can happen; returns how many states that is.
fn keeps(model: &impl Model) -> usize {
    let start = Instant::now();
    let found = explore(model);
    println!("{:>7} states in {:?}", found.states, start.elapsed());
    if let Some((promise, way)) = found.broken {
        panic!("broken: {promise}, after {way:#?}");
    }
    found.states
}

/// Finds the shortest way to break this promise.
fn breaks(promise: &str, model: &impl Model) {
    let found = explore(model);
    let (broken, way) = found.broken.expect("a way to break a promise");
    println!("broken after {} steps: {broken}\n  {way:?}", way.len());
    assert_eq!(broken, promise);
}
