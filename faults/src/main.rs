//! The binary of the fault tools: one subcommand per tool. `cargo xtask faults` builds it, prepares
//! the brokers and runs it.
#![allow(clippy::print_stdout, reason = "what a tool found is what it is for")]

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use faults::Outcome;
use faults::storm;

/// Hurts a Kafka broker and its clients, and tells what it cost.
#[derive(Debug, Parser)]
struct Faults {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let members of a group join, leave and die, and judge what they did
    Storm(storm::StormArgs),
    /// One member of a storm
    #[command(hide = true)]
    StormMember(storm::MemberArgs),
    /// Producers, consumers and a witness on a broker that is killed and whose network is hurt
    Run(Box<commands::run::Arguments>),
    /// Only the proxy, until it is ended
    Proxy(commands::proxy::Arguments),
    /// Only the kills: a command that is killed and started again
    Kill(commands::kill::Arguments),
    /// Check a history that a run has written down
    Check(commands::check::Arguments),
    /// Prove the checker: every broker with a fault inside is found out
    #[cfg(feature = "mutants")]
    Mutants(commands::mutants::Arguments),
    /// A broker with a fault inside
    #[cfg(feature = "mutants")]
    Broker(commands::broker::Arguments),
}

fn main() -> ExitCode {
    let outcome: Outcome = match Faults::parse().command {
        Command::Storm(args) => storm::run(&args),
        Command::StormMember(args) => storm::member(&args),
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Proxy(arguments) => commands::proxy::run(&arguments),
        Command::Kill(arguments) => commands::kill::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        #[cfg(feature = "mutants")]
        Command::Mutants(arguments) => commands::mutants::run(&arguments),
        #[cfg(feature = "mutants")]
        Command::Broker(arguments) => commands::broker::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
