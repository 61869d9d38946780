//! The binary `tidings`: reads the command line, runs one command, and turns what went wrong into a
//! text for people and an exit code for scripts.

mod broker;
mod cli;
mod cluster;
mod completions;
mod config;
mod data;
mod dev;
mod dlq;
mod event;
mod event_id;
mod failure;
mod flow;
mod group;
mod limits;
mod new;
mod output;
mod position;
mod record;
mod runtime;
mod scan;
mod settings;
mod shop_service;
mod signals;
mod topic;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::failure::{Exit, Failure};
use crate::output::Screen;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let Err(failure) = run(&cli) else { return Exit::Done.into() };
    // A closed pipe ends a stream without a word.
    if failure.code() != Exit::Done {
        output::note(failure.render(output::error_colour()).trim_end());
    }
    failure.code().into()
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let screen = Screen::detect();
    let global = &cli.global;
    if !matches!(cli.command, Command::Dev(_) | Command::Broker(_) | Command::ShopService(_)) {
        signals::end_on_interrupt();
    }
    match &cli.command {
        Command::Dev(args) => dev::run(args, global, &screen),
        Command::Broker(args) => broker::run(args, &screen),
        Command::Event(command) => event::run(command, global, &screen),
        Command::Dlq(command) => dlq::run(command, global, &screen),
        Command::Flow(args) => flow::run(args, global, &screen),
        Command::Topic(command) => topic::run(command, global, &screen),
        Command::Group(command) => group::run(command, global, &screen),
        Command::Config(command) => config::run(command, global, &screen),
        Command::New(args) => new::run(args, &screen),
        Command::Completions(args) => completions::run(args),
        Command::ShopService(args) => shop_service::run(args),
    }
}
