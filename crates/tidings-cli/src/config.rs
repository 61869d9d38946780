//! `tidings config show`: every setting with its value and where it comes from, secrets masked.

use clap::Subcommand;
use serde_json::json;

use crate::cli::Global;
use crate::failure::Failure;
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};
use crate::settings;

/// The commands on settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show each setting with its value and its origin
    Show(ShowArgs),
}

/// Flags of `tidings config show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs one of them.
pub fn run(command: &ConfigCommand, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let ConfigCommand::Show(args) = command;
    let shown = settings::load(global)?.show();
    if args.json {
        let settings: Vec<_> = shown
            .iter()
            .map(|setting| {
                let origin = setting.origin.to_string();
                json!({"name": setting.name, "value": setting.value, "origin": origin})
            })
            .collect();
        return output::json(json!({ "settings": settings }));
    }
    let columns = [("setting", Align::Left), ("value", Align::Left), ("origin", Align::Left)];
    let mut table = Table::new(&columns, screen.width);
    for setting in shown {
        table.row([
            setting.name,
            output::printable(&setting.value),
            output::printable(&setting.origin.to_string()),
        ]);
    }
    output::print(&table.render())
}
