//! `tidings dlq`: dead letters, read from Kafka alone: what waits, why, and how much of a kind;
//! parked events redriven or discarded by their services; and those of services without a store or
//! of other frameworks republished.

mod act;
mod fingerprint;
mod groups;
mod identity;
mod index;
mod letter;
mod ls;
mod meant;
mod range;
mod republish;
mod show;
mod topics;

use clap::Subcommand;
use tidings::acts::Act;

use crate::cli::Global;
use crate::failure::Failure;
use crate::output::Screen;

pub use self::identity::{Identity, Place, origin};
pub use self::index::Index;
pub use self::letter::Letter;
pub use self::topics::looks_like_dead_letters;

/// The commands on dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List what waits: a line per dead letter, or per key where its events are parked
    Ls(ls::LsArgs),
    /// Show one dead letter whole: where it came from, why, its copies, its data, what to do next
    Show(show::ShowArgs),
    /// Put dead letters together that failed alike, and count them
    Groups(groups::GroupsArgs),
    /// Let the handlers of parked events try them again, in place; those behind them follow
    Redrive(act::ActArgs),
    /// Give parked events up: they are never handled, and those behind them go on
    Discard(act::ActArgs),
    /// Publish dead letters of services without a store, or of other frameworks, to a topic again
    Republish(republish::RepublishArgs),
}

/// Runs one of them.
pub fn run(command: &DlqCommand, global: &Global, screen: &Screen) -> Result<(), Failure> {
    match command {
        DlqCommand::Ls(args) => ls::run(args, global, screen),
        DlqCommand::Show(args) => show::run(args, global, screen),
        DlqCommand::Groups(args) => groups::run(args, global, screen),
        DlqCommand::Redrive(args) => act::run(Act::Redrive, args, global, screen),
        DlqCommand::Discard(args) => act::run(Act::Discard, args, global, screen),
        DlqCommand::Republish(args) => republish::run(args, global, screen),
    }
}
