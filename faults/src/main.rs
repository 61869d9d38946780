//! The binary of the fault tools: one subcommand per tool. `cargo xtask faults` builds it, starts
//! the brokers and runs it.
#![allow(clippy::print_stdout, reason = "what a tool found is what it is for")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use faults::Outcome;
use faults::random::Random;
use faults::storm;

/// Hurts a Kafka broker and its clients, and tells what it cost.
#[derive(Debug, Parser)]
struct Faults {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a seed that nobody used today
    Seed,
    /// Let members of a group join, leave and die, and judge what they did
    Storm(storm::StormArgs),
    /// One member of a storm
    #[command(hide = true)]
    StormMember(storm::MemberArgs),
}

fn main() -> ExitCode {
    let outcome: Outcome = match Faults::parse().command {
        Command::Seed => {
            let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos());
            println!("{}", Random::new(u64::from(now), 0).within(0..1_000_000));
            Ok(())
        }
        Command::Storm(args) => storm::run(&args),
        Command::StormMember(args) => storm::member(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
