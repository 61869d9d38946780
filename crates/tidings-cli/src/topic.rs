//! `tidings topic`: the topics of a cluster.

mod create;
mod delete;
mod ls;
mod show;

use clap::Subcommand;

use crate::cli::Global;
use crate::failure::Failure;
use crate::output::Screen;

/// The commands on topics.
#[derive(Debug, Subcommand)]
pub enum TopicCommand {
    /// List the topics with their partitions and records
    Ls(ls::LsArgs),
    /// Show one topic: its partitions, offsets and settings
    Show(show::ShowArgs),
    /// Create a topic
    Create(create::CreateArgs),
    /// Delete topics and all their records
    Delete(delete::DeleteArgs),
}

/// Runs one of them.
pub fn run(command: &TopicCommand, global: &Global, screen: &Screen) -> Result<(), Failure> {
    match command {
        TopicCommand::Ls(args) => ls::run(args, global, screen),
        TopicCommand::Show(args) => show::run(args, global, screen),
        TopicCommand::Create(args) => create::run(args, global, screen),
        TopicCommand::Delete(args) => delete::run(args, global, screen),
    }
}
