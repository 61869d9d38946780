//! `tidings topic delete TOPIC...`: topics and all their records, gone for good.

use rdkafka::admin::AdminOptions;
use rdkafka::types::RDKafkaErrorCode;
use serde_json::json;
use tidings::link::Act;

use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::{Exit, Failure};
use crate::output::{self, Screen};
use crate::{limits, runtime};

/// Flags of `tidings topic delete`.
#[derive(Debug, clap::Args)]
pub struct DeleteArgs {
    /// The topics' names
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Do not ask on a terminal
    #[arg(long)]
    yes: bool,
    /// Say what would be deleted, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Deletes the topics.
pub fn run(args: &DeleteArgs, global: &Global, _screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let reader = cluster.reader()?;
    let mut found = Vec::new();
    for topic in &args.topics {
        let bounds = cluster.bounds(&reader, &cluster.partitions_of([topic.as_str()])?)?;
        found.push((topic.as_str(), bounds.values().map(|(start, end)| end - start).sum::<i64>()));
    }
    if args.dry_run {
        return report(args, &found, "would delete");
    }
    let records = found.iter().map(|(_, records)| records).sum();
    let names = args.topics.join(", ");
    let question = format!("delete {names} and {}?", output::counted(records, "record"));
    if !args.yes && output::ask(&question) == Some(false) {
        return Err(Failure::new("nothing was deleted").exit(Exit::NotAllowed));
    }
    let options = AdminOptions::new()
        .request_timeout(Some(limits::ADMIN_TIMEOUT))
        .operation_timeout(Some(limits::ADMIN_TIMEOUT));
    let topics: Vec<&str> = args.topics.iter().map(String::as_str).collect();
    let answers = runtime::block_on(cluster.admin()?.delete_topics(&topics, &options))?
        .map_err(|error| cluster.no_answer(&error))?;
    for answer in answers {
        answer.map_err(|(topic, code)| match code {
            RDKafkaErrorCode::UnknownTopicOrPartition => cluster.unknown_topic(&topic),
            code => cluster
                .refused_code(code, Act::Delete(&topic))
                .unwrap_or_else(|| Failure::new(format!("cannot delete `{topic}`")).because(code)),
        })?;
    }
    report(args, &found, "deleted")
}

fn report(args: &DeleteArgs, found: &[(&str, i64)], verb: &str) -> Result<(), Failure> {
    if args.json {
        let topics: Vec<_> = found
            .iter()
            .map(|(topic, records)| json!({"topic": topic, "records": records}))
            .collect();
        return output::json(json!({"deleted": topics, "dry_run": args.dry_run}));
    }
    for (topic, records) in found {
        output::line(&format!("{verb} {topic} with {}", output::counted(*records, "record")))?;
    }
    Ok(())
}
