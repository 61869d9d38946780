//! The project's own chores, run as `cargo xtask NAME`: what CI checks, and what needs real Kafka parts.
#![allow(clippy::print_stdout, reason = "a chore talks to the person who started it")]

mod kafka;
mod place;
mod process;

use std::process::ExitCode;

/// What every chore returns: a sentence for a person is all that an error has to be here.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  kafka [--heap-mb N] [--set NAME=VALUE]... [--until-stdin-closes]
            install Apache Kafka from Maven Central, run one node on loopback,
            print `listening HOST:PORT`; Ctrl-C or SIGTERM stops it
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match words.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match command {
        "kafka" => kafka::command(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprint!("error: no chore is called `{other}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
