//! Ping-pong over loopback: as many bytes each way as a Produce and its answer have, and nothing
//! done with them. No broker can be quicker.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use crate::Outcome;
use crate::spread::Spread;

/// A Produce of one record of 256 bytes, and the answer to it.
const PING_BYTES: usize = 400;
const PONG_BYTES: usize = 64;
const WARM_UP: u32 = 200;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 2000)]
    count: u32,
}

/// Answers every ping until standard input ends.
pub(crate) fn serve() -> Outcome<Value> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening {}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || pong(stream));
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(json!({}))
}

fn pong(mut stream: TcpStream) -> Outcome {
    stream.set_nodelay(true)?;
    let (mut ping, pong) = ([0; PING_BYTES], [0; PONG_BYTES]);
    loop {
        stream.read_exact(&mut ping)?;
        stream.write_all(&pong)?;
    }
}

pub(crate) fn run(address: &str, arguments: &Arguments) -> Outcome<Value> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (ping, mut pong) = ([1; PING_BYTES], [0; PONG_BYTES]);
    let mut spread = Spread::new()?;
    for n in 0..WARM_UP + arguments.count {
        let began = Instant::now();
        stream.write_all(&ping)?;
        stream.read_exact(&mut pong)?;
        if n >= WARM_UP {
            spread.record(began.elapsed());
        }
    }
    Ok(json!({ "produce": spread.json() }))
}
