//! `faults check`: the checker alone, on a history in a file.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;
use faults::Outcome;
use faults::history::{check, recorder};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A file that `faults run --history` has written
    history: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let history = recorder::read(BufReader::new(File::open(&arguments.history)?))?;
    let findings = check(&history);
    for finding in &findings {
        println!("{finding}");
    }
    println!("{} operations, {} findings", history.len(), findings.len());
    if findings.is_empty() {
        Ok(())
    } else {
        Err("the history is not one of a right broker".into())
    }
}
