//! `tidings event`: publish events, watch them as they happen, find one by its id.

mod get;
mod jsonl;
mod publish;
mod tail;

use clap::Subcommand;

use crate::cli::Global;
use crate::failure::Failure;
use crate::output::Screen;

pub use self::get::at_address;

/// The commands on events.
#[derive(Debug, Subcommand)]
pub enum EventCommand {
    /// Publish one event, or many from a file
    Publish(publish::PublishArgs),
    /// Show events as they happen, or those of a range
    Tail(tail::TailArgs),
    /// Find one event by its id and show all of it
    Get(get::GetArgs),
}

/// Runs one of them.
pub fn run(command: &EventCommand, global: &Global, screen: &Screen) -> Result<(), Failure> {
    match command {
        EventCommand::Publish(args) => publish::run(args, global, screen),
        EventCommand::Tail(args) => tail::run(args, global, screen),
        EventCommand::Get(args) => get::run(args, global, screen),
    }
}
