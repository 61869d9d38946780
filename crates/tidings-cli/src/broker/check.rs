//! `tidings broker check --data DIR`: verifies every file of a data directory, read only: counts,
//! checksums, order, offsets. Exit code 5 when anything is wrong.

use std::path::PathBuf;

use serde_json::{Value, json};
use tidings_broker::{CheckReport, CheckedPartition};

use crate::failure::{Exit, Failure, causes};
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};

/// Flags of `tidings broker check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The directory of a broker that is not running
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Checks the directory.
pub fn run(args: &CheckArgs, screen: &Screen) -> Result<(), Failure> {
    let directory = args.data.display();
    if !args.data.is_dir() {
        return Err(Failure::not_found(format!("no directory {directory}")));
    }
    let report = tidings_broker::check(&args.data).map_err(|error| {
        Failure::new(format!("cannot check {directory}")).because(causes(&error))
    })?;
    match args.json {
        true => output::json(to_json(&report))?,
        false => output::print(&text(&report, screen))?,
    }
    if report.is_ok() {
        return Ok(());
    }
    let partitions = report.partitions.iter().map(|one| one.errors.len()).sum::<usize>();
    let errors = output::counted((partitions + report.errors.len()) as i64, "error");
    Err(Failure::new(format!("{errors} in {directory}")).exit(Exit::CheckFailed))
}

fn to_json(report: &CheckReport) -> Value {
    let partitions: Vec<_> = report.partitions.iter().map(partition).collect();
    json!({
        "ok": report.is_ok(),
        "partitions": partitions,
        "errors": report.errors,
        "notes": report.notes,
        "in_use_by": report.in_use_by,
    })
}

fn partition(one: &CheckedPartition) -> Value {
    json!({
        "topic": one.topic, "partition": one.partition, "start": one.start, "end": one.end,
        "records": one.records, "bytes": one.bytes, "errors": one.errors, "notes": one.notes,
    })
}

fn text(report: &CheckReport, screen: &Screen) -> String {
    let columns = [
        ("topic", Align::Left),
        ("partition", Align::Right),
        ("start", Align::Right),
        ("end", Align::Right),
        ("records", Align::Right),
        ("errors", Align::Right),
    ];
    let mut table = Table::new(&columns, screen.width);
    for one in &report.partitions {
        table.row([
            one.topic.clone(),
            one.partition.to_string(),
            output::grouped(one.start),
            output::grouped(one.end),
            output::grouped(i64::try_from(one.records).unwrap_or(i64::MAX)),
            one.errors.len().to_string(),
        ]);
    }
    let mut text = match report.partitions.is_empty() {
        true => "no partitions\n".to_owned(),
        false => table.render(),
    };
    let mut remark = |lead: &str, line: &str| {
        text.push_str(&format!("  {lead} {}\n", output::printable(line)));
    };
    if let Some(who) = &report.in_use_by {
        remark("note:", &format!("in use by {who}: what is being written may look torn"));
    }
    for one in &report.partitions {
        let place = format!("{}[{}]", one.topic, one.partition);
        one.notes.iter().for_each(|note| remark("note:", &format!("{place}: {note}")));
        one.errors.iter().for_each(|error| remark("✗", &format!("{place}: {error}")));
    }
    report.notes.iter().for_each(|note| remark("note:", note));
    report.errors.iter().for_each(|error| remark("✗", error));
    if report.is_ok() {
        text.push_str("everything is in order\n");
    }
    text
}
