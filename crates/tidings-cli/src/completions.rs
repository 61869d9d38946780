//! `tidings completions SHELL`: the shell's completion script on standard output.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output;

/// Flags of `tidings completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell, for example: tidings completions bash >
    /// ~/.local/share/bash-completion/completions/tidings
    pub shell: Shell,
}

/// Prints the script.
pub fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tidings", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
