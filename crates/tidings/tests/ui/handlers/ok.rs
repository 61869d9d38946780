//! What must compile: each shape of a handler.

use serde::{Deserialize, Serialize};
use tidings::cloudevents::{CloudEvent, Record};
use tidings::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "test.order.placed", version = 1, topic = "orders", no_key)]
struct Placed;

#[derive(Event, Serialize, Deserialize)]
#[event(type = "test.payment.taken", version = 1, topic = "payments", no_key)]
struct Taken;

#[derive(Events)]
enum Decided {
    Taken(Taken),
    Both { placed: Placed, taken: Taken },
    Nothing,
}

#[derive(Clone)]
struct Bank;

async fn alone(_: Placed) -> Result<(), Fail> {
    Ok(())
}

async fn all(
    _: Placed,
    _: Meta,
    State(_): State<Bank>,
    _: Publisher,
    _: CloudEvent,
    _: Record,
) -> Result<(Taken, Option<Placed>, Vec<Taken>), Fail> {
    Ok((Taken, None, vec![]))
}

async fn any_error(_: Placed) -> Result<Decided, std::io::Error> {
    Ok(Decided::Nothing)
}

async fn built(_: Placed) -> Result<Events, Fail> {
    Ok(Events::new().push(Taken).push(Decided::Taken(Taken)))
}

fn main() {
    let greeting = String::from("hello");
    let closure = move |_: Placed| {
        let greeting = greeting.clone();
        async move {
            let both = Decided::Both { placed: Placed, taken: Taken };
            if greeting.is_empty() { Err(Fail::reject("empty")) } else { Ok(both) }
        }
    };
    let service = Service::new("shop").state(Bank);
    let _ = service
        .on("alone", alone)
        .on("all", all)
        .on("any_error", any_error)
        .on("built", built)
        .on("closure", closure);
}
