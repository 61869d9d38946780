//! The raw loop that a durable broker is measured against: the same bytes appended to a file, with
//! one fdatasync per gathered batch; and what one small append with its fdatasync takes.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use crate::spread::Spread;
use crate::{Outcome, payload};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file; created, and removed at the end
    #[arg(long)]
    file: PathBuf,
    /// How many batches
    #[arg(long)]
    count: u64,
    /// Bytes of one batch
    #[arg(long)]
    size: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome<Value> {
    let pool = payload::random(arguments.size);
    let mut file = File::create(&arguments.file)?;
    let mut spread = Spread::new()?;
    let began = Instant::now();
    for n in 0..arguments.count {
        let began = Instant::now();
        file.write_all(payload::slice(&pool, arguments.size, n))?;
        file.sync_data()?;
        spread.record(began.elapsed());
    }
    let seconds = began.elapsed().as_secs_f64();
    fs::remove_file(&arguments.file)?;
    let bytes = arguments.count * arguments.size as u64;
    Ok(json!({
        "bytes": bytes,
        "seconds": seconds,
        "bytes_per_second": bytes as f64 / seconds,
        "produce": spread.json(),
    }))
}
