//! `tidings group reset GROUP --topic T --to X`: moves a group to other offsets of a topic. It
//! shows what that means first, and refuses while anyone handles events in the group's name.

use jiff::ZonedDateTime;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tidings::link::Act;

use super::standing;
use crate::cli::Global;
use crate::cluster::{Cluster, Reader, TopicPartition};
use crate::failure::{Exit, Failure};
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};
use crate::position::Position;
use crate::scan;

/// Flags of `tidings group reset`.
#[derive(Debug, clap::Args)]
pub struct ResetArgs {
    /// The group's name; a service's name is its group's
    group: String,
    /// The topic in which to move
    #[arg(long, value_name = "TOPIC")]
    topic: String,
    /// Where to: beginning, end, a time (2026-01-31T10:41:07Z, 10:41, 2h ago as 2h) or an offset
    #[arg(long, value_name = "PLACE", value_parser = place, allow_hyphen_values = true)]
    to: Position,
    /// Only this partition
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One partition's move.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Move {
    partition: i32,
    from: Option<i64>,
    to: i64,
    end: i64,
}

/// Moves the group.
pub fn run(args: &ResetArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let partitions = partitions(&cluster, args)?;
    standing::check_right(&cluster, &args.group)?;
    let consumer = cluster.member_of(&args.group)?;
    refuse_active(&cluster, &consumer, &args.group)?;
    let moves = plan(&cluster, &consumer, &partitions, args)?;
    if !args.json {
        output::print(&text(args, &moves, screen))?;
    }
    if !args.dry_run {
        confirm(args, screen)?;
        commit(&cluster, &consumer, args, &moves)?;
    }
    if args.json {
        return output::json(to_json(args, &moves));
    }
    let verdict = match args.dry_run {
        true => "nothing was changed (--dry-run)".to_owned(),
        false => format!("{} was moved", args.group),
    };
    output::line(&verdict)
}

fn place(text: &str) -> Result<Position, String> {
    Position::parse_to(text, &ZonedDateTime::now())
}

fn partitions(cluster: &Cluster, args: &ResetArgs) -> Result<Vec<TopicPartition>, Failure> {
    let mut partitions = cluster.partitions_of([args.topic.as_str()])?;
    if let Some(only) = args.partition {
        let count = partitions.len();
        partitions.retain(|(_, partition)| *partition == only);
        if partitions.is_empty() {
            return Err(Failure::not_found(format!(
                "`{}` has {} (from 0), no partition {only}",
                args.topic,
                output::counted(count as i64, "partition")
            )));
        }
    }
    Ok(partitions)
}

/// A member would go on from its own memory and commit over the new offsets.
fn refuse_active(cluster: &Cluster, reader: &Reader, group: &str) -> Result<(), Failure> {
    let Some(found) = standing::description(cluster, reader, group)? else { return Ok(()) };
    if found.members.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = found
        .members
        .iter()
        .map(|member| format!("{} at {}", output::printable(&member.client_id), member.host))
        .collect();
    Err(Failure::new(format!(
        "`{group}` has {}: it can only be moved while it has none",
        output::counted(names.len() as i64, "active member")
    ))
    .because(names.join(", "))
    .help("stop its services and try again; one that was killed leaves after its session time-out")
    .exit(Exit::NotAllowed))
}

fn plan(
    cluster: &Cluster,
    consumer: &Reader,
    partitions: &[TopicPartition],
    args: &ResetArgs,
) -> Result<Vec<Move>, Failure> {
    let to = args.to;
    let bounds = cluster.bounds(consumer, partitions)?;
    let committed = standing::committed(cluster, consumer, &args.group)?;
    let times = match to {
        Position::At(time) => {
            let at = Offset::Offset(time.as_millisecond().max(0));
            cluster.offsets(consumer, partitions, at)?
        }
        _ => Default::default(),
    };
    Ok(bounds
        .into_iter()
        .map(|(name, (start, end))| {
            let to = match to {
                Position::Beginning => start,
                Position::Offset(offset) => offset.clamp(start, end),
                Position::At(_) => {
                    times.get(&name).map_or(end, |offset| scan::at_or_end(*offset, end))
                }
                Position::End | Position::Last(_) => end,
            };
            let from = committed.get(&name).and_then(|(offset, _)| *offset);
            Move { partition: name.1, from, to, end }
        })
        .collect())
}

fn confirm(args: &ResetArgs, screen: &Screen) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let _ = screen;
    match output::ask(&format!("move {} in {}?", args.group, args.topic)) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new("nothing was changed").exit(Exit::NotAllowed)),
        None => Err(Failure::usage("nothing was changed: there is no terminal to ask on")
            .help("to do it without asking:  --yes")),
    }
}

fn commit(
    cluster: &Cluster,
    consumer: &Reader,
    args: &ResetArgs,
    moves: &[Move],
) -> Result<(), Failure> {
    let mut list = TopicPartitionList::with_capacity(moves.len());
    for change in moves {
        list.add_partition_offset(&args.topic, change.partition, Offset::Offset(change.to))
            .map_err(|error| Failure::new("cannot commit the offsets").because(error))?;
    }
    consumer.commit(&list, CommitMode::Sync).map_err(|error| {
        use rdkafka::types::RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            Some(Code::UnknownMemberId | Code::RebalanceInProgress | Code::IllegalGeneration) => {
                Failure::new(format!(
                    "a member joined `{}` meanwhile; nothing was changed",
                    args.group
                ))
                .exit(Exit::NotAllowed)
            }
            _ => cluster.no_answer_to(&error, Act::Join(&args.group)),
        }
    })
}

fn to_json(args: &ResetArgs, moves: &[Move]) -> Value {
    let partitions: Vec<_> = moves
        .iter()
        .map(|change| {
            json!({
                "topic": args.topic, "partition": change.partition,
                "from": change.from, "to": change.to, "end": change.end,
            })
        })
        .collect();
    json!({"group": args.group, "dry_run": args.dry_run, "partitions": partitions})
}

fn text(args: &ResetArgs, moves: &[Move], screen: &Screen) -> String {
    let columns = [
        ("partition", Align::Right),
        ("committed", Align::Right),
        ("new", Align::Right),
        ("end", Align::Right),
        ("meaning", Align::Left),
    ];
    let mut table = Table::new(&columns, screen.width);
    for change in moves {
        table.row([
            change.partition.to_string(),
            change.from.map_or("-".to_owned(), output::grouped),
            output::grouped(change.to),
            output::grouped(change.end),
            meaning(change),
        ]);
    }
    format!("{} in {}\n\n{}\n", screen.bold(&args.group), args.topic, table.render())
}

fn meaning(change: &Move) -> String {
    match change.from.map(|from| change.to - from) {
        None => format!("{} to handle", output::counted(change.end - change.to, "record")),
        Some(0) => "stays".to_owned(),
        Some(n) if n < 0 => format!("{} again", output::counted(-n, "record")),
        Some(n) => format!("{} skipped", output::counted(n, "record")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_move_means_is_said_before_it_is_made() {
        let change = |from, to| Move { partition: 0, from, to, end: 20 };
        for (change, said) in [
            (change(Some(12), 0), "12 records again"),
            (change(Some(12), 13), "1 record skipped"),
            (change(Some(12), 12), "stays"),
            (change(None, 5), "15 records to handle"),
        ] {
            assert_eq!(meaning(&change), said);
        }
    }
}
