//! Many topics at once, by one CreateTopics request.

use clap::Args;
use serde_json::{Value, json};

use crate::Outcome;
use crate::wire::{self, Reader, Wire, put, text};

const CREATE_TOPICS: i16 = 19;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// They are called `topic-0` and so on
    #[arg(long)]
    count: i32,
    #[arg(long)]
    partitions: i32,
}

pub(crate) fn run(bootstrap: &str, arguments: &Arguments) -> Outcome<Value> {
    let mut body = Vec::new();
    put(&mut body, arguments.count.to_be_bytes());
    for n in 0..arguments.count {
        text(&mut body, &format!("topic-{n}"));
        put(&mut body, arguments.partitions.to_be_bytes());
        put(&mut body, 1i16.to_be_bytes());
        put(&mut body, 0i32.to_be_bytes()); // no assignments
        put(&mut body, 0i32.to_be_bytes()); // no settings
    }
    put(&mut body, 60_000i32.to_be_bytes());
    body.push(0); // not only validated
    let mut wire = Wire::connect(bootstrap)?;
    let mut request = wire::request(CREATE_TOPICS, 2, &body);
    let mut at = Reader::new(wire.call(&mut request)?);
    at.skip(4)?;
    for _ in 0..at.i32()? {
        let (name, error, message) = (at.text()?, at.i16()?, at.text()?);
        if error != 0 {
            return Err(format!("{name} cannot be created: error {error} {message}").into());
        }
    }
    Ok(json!({ "topics": arguments.count }))
}
