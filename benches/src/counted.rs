//! The embedded broker inside this process, with an allocator that counts: how many allocations a
//! message costs. Anything else is counted on the real binary.
#![allow(clippy::print_stdout, reason = "what it counts is what this program is for")]

use std::alloc::System;
use std::error::Error;
use std::io::BufRead;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tidings_broker::{Broker, Config, Durability};
use tokio::runtime::Builder;

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    Process,
    Power,
}

/// Serves until standard input ends.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long)]
    data: PathBuf,
    #[arg(long, value_enum, default_value = "process")]
    durability: Level,
}

/// Prints `listening HOST:PORT`; then, for every line that comes in, what was allocated so far.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut config = Config::at(&arguments.data);
    config.listen = ([127, 0, 0, 1], 0).into();
    config.durability = match arguments.durability {
        Level::Process => Durability::Process,
        Level::Power => Durability::Power,
    };
    let runtime = Builder::new_current_thread().build()?;
    let broker = runtime.block_on(Broker::start(config))?;
    println!("listening {}", broker.bootstrap());
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", allocated());
    }
    runtime.block_on(broker.shutdown())?;
    Ok(())
}

fn allocated() -> Value {
    let stats = COUNTING.stats();
    json!({
        "allocations": stats.allocations + stats.reallocations,
        "bytes": stats.bytes_allocated,
    })
}
