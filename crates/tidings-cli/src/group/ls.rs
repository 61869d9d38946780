//! `tidings group ls`: every group with its state and the number of its members.

use serde_json::json;

use super::standing;
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};

/// Flags of `tidings group ls`.
#[derive(Debug, clap::Args)]
pub struct LsArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists the groups.
pub fn run(args: &LsArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let groups = standing::names(&cluster, &cluster.reader()?)?;
    if args.json {
        let groups: Vec<_> = groups
            .iter()
            .map(|(name, group)| {
                json!({"group": name, "state": group.state, "members": group.members.len()})
            })
            .collect();
        return output::json(json!({ "groups": groups }));
    }
    if groups.is_empty() {
        return output::line(&format!("no groups at {} yet", cluster.bootstrap()));
    }
    let columns = [("group", Align::Left), ("state", Align::Left), ("members", Align::Right)];
    let mut table = Table::new(&columns, screen.width);
    for (name, group) in &groups {
        table.row([name.clone(), group.state.clone(), group.members.len().to_string()]);
    }
    output::print(&table.render())
}
