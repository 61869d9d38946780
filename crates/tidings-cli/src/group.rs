//! `tidings group`: the consumer groups of a cluster, how far each has come, and moving one.

mod assignment;
mod ls;
mod outages;
mod reset;
mod show;
mod standing;

use clap::Subcommand;

use crate::cli::Global;
use crate::failure::Failure;
use crate::output::Screen;

pub use self::standing::committed;

/// The commands on groups.
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List the groups with their members
    Ls(ls::LsArgs),
    /// Show one group: members, lag per partition, the oldest unfinished event
    Show(show::ShowArgs),
    /// Move a group without members to other offsets of a topic
    Reset(reset::ResetArgs),
}

/// Runs one of them.
pub fn run(command: &GroupCommand, global: &Global, screen: &Screen) -> Result<(), Failure> {
    match command {
        GroupCommand::Ls(args) => ls::run(args, global, screen),
        GroupCommand::Show(args) => show::run(args, global, screen),
        GroupCommand::Reset(args) => reset::run(args, global, screen),
    }
}
