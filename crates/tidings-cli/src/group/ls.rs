//! `tidings group ls`: every group with its state, the number of its members and its lag.

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
    let mut groups = Vec::new();
    for (name, group) in standing::names(&cluster, &cluster.reader()?)? {
        let lag = standing::lag(&cluster, &name, &group.members)?;
        groups.push((name, group.state, group.members.len() as i64, lag));
    }
    if args.json {
        let groups: Vec<_> = groups
            .iter()
            .map(|(name, state, members, lag)| {
                json!({"group": name, "state": state, "members": members, "lag": lag})
            })
            .collect();
        return output::json(json!({ "groups": groups }));
    }
    if groups.is_empty() {
        return output::line(&format!("no groups at {} yet", cluster.bootstrap()));
    }
    let columns = [
        ("group", Align::Left),
        ("state", Align::Left),
        ("members", Align::Right),
        ("lag", Align::Right),
    ];
    let mut table = Table::new(&columns, screen.width);
    for (name, state, members, lag) in groups {
        table.row([name, state, members.to_string(), output::grouped(lag)]);
    }
    output::print(&table.render())
}
