//! `tidings flow ID | --key K`: everything that one event caused and was caused by, across all
//! services and topics, as a tree. The scan is bounded and its range is shown.

mod closure;
mod dead;
mod index;
mod json;
mod render;
mod tree;

use std::ops::ControlFlow;
use std::time::SystemTime;

use jiff::Timestamp;

use self::index::Index;
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::{self, Screen};
use crate::record::{Key, Seen};
use crate::scan::Plan;
use crate::{event_id, limits, position};

pub use self::dead::Dead;
pub use self::render::range;

/// Flags of `tidings flow`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["id", "key"]))]
pub struct FlowArgs {
    /// The id of any event of the flow
    id: Option<String>,
    /// A key instead: VALUE is the record's key, NAME=VALUE the subject NAME/VALUE
    #[arg(long)]
    key: Option<String>,
    /// Scan from this time on [default: everything while the topics are small, else the last hour,
    /// or the time in the event's id]
    #[arg(long, value_name = "TIME", value_parser = position::since)]
    since: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The event with this id.
    Id(String),
    /// All events with this key.
    Key(Key),
}

/// What was scanned, to be shown beside what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// The first time; `None` is the beginning.
    pub from: Option<Timestamp>,
    /// When the scan was made.
    pub to: Timestamp,
    /// How many records were read.
    pub records: u64,
    /// The topics.
    pub topics: Vec<String>,
}

/// Finds the flow and shows it.
pub fn run(args: &FlowArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let target = match (&args.id, &args.key) {
        (Some(id), _) => Target::Id(id.clone()),
        (None, Some(key)) => Target::Key(Key::parse(key)),
        (None, None) => return Err(Failure::usage("name an event's id, or a key with --key")),
    };
    let cluster = Cluster::connect(global)?;
    let (index, scanned) = scan(&cluster, &target, args.since, screen)?;
    let roots = tree::grow(index);
    if roots.is_empty() {
        return Err(not_found(&target, &scanned));
    }
    match args.json {
        true => output::json(json::flow(&roots, &scanned)),
        false => output::print(&render::flow(&target, &roots, &scanned, screen)),
    }
}

fn scan(
    cluster: &Cluster,
    target: &Target,
    since: Option<Timestamp>,
    screen: &Screen,
) -> Result<(Index, Scanned), Failure> {
    let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let back = match target {
        Target::Id(id) => event_id::scan_from(id, now),
        Target::Key(_) => event_id::default_from(now),
    };
    let topics: Vec<String> =
        cluster.topics().keys().filter(|name| !name.starts_with("__")).cloned().collect();
    let plan = Plan::new(cluster, topics, since, back)?;
    let scanned = Scanned {
        from: plan.from(),
        to: now,
        records: plan.records(),
        topics: plan.topics().to_vec(),
    };
    let bar = screen.progress_bar(plan.records(), "scanning");
    let mut index = Index::default();
    plan.run(&bar, |message| {
        index.add(&Seen::of(message), target);
        match index.len() < limits::FLOW_INDEX_EVENTS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    bar.finish_and_clear();
    if index.len() >= limits::FLOW_INDEX_EVENTS {
        return Err(Failure::new(format!(
            "more than {} events in the range",
            output::grouped(limits::FLOW_INDEX_EVENTS as i64)
        ))
        .help("scan less:  --since 10m"));
    }
    Ok((index, scanned))
}

fn not_found(target: &Target, scanned: &Scanned) -> Failure {
    let what = match target {
        Target::Id(id) => format!("no event `{}`", output::printable(id)),
        Target::Key(key) => format!("no event of {}", output::printable(&key.title())),
    };
    let failure = Failure::not_found(what).because(render::range(scanned));
    match scanned.from {
        Some(_) => failure.help("scan more:  --since 2d"),
        None => failure.help("see what is there:  tidings event tail TOPIC --from beginning"),
    }
}
