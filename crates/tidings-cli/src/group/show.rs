//! `tidings group show GROUP`: members, lag per partition, and what holds a partition back.

use serde_json::{Value, json};

use super::outages;
use super::standing::{self, Description, Member, Row};
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};
use crate::record::short_type;

/// Flags of `tidings group show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The group's name; a service's name is its group's
    group: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Shows one group.
pub fn run(args: &ShowArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    standing::check_right(&cluster, &args.group)?;
    let reader = cluster.reader()?;
    let found = standing::description(&cluster, &reader, &args.group)?;
    let known = found.is_some();
    let group = found.unwrap_or(Description { state: "Empty".to_owned(), members: Vec::new() });
    let rows = standing::rows(&cluster, &args.group, &group.members)?;
    if !known && rows.is_empty() {
        return Err(standing::unknown(&cluster, &reader, &args.group));
    }
    if args.json {
        return output::json(to_json(&args.group, &group, &rows));
    }
    output::print(&text(&args.group, &group, &rows, screen))
}

fn to_json(name: &str, group: &Description, rows: &[Row]) -> Value {
    let members: Vec<_> = group
        .members
        .iter()
        .map(|member| {
            let partitions: Vec<_> = member
                .partitions
                .iter()
                .map(|(topic, partition)| json!({"topic": topic, "partition": partition}))
                .collect();
            json!({
                "member": member.id, "client_id": member.client_id,
                "host": member.host, "partitions": partitions,
            })
        })
        .collect();
    let partitions: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "topic": row.topic, "partition": row.partition, "committed": row.committed,
                "end": row.end, "lag": row.lag,
                "oldest_unfinished": oldest_unfinished(row),
            })
        })
        .collect();
    json!({
        "group": name, "state": group.state, "members": members, "partitions": partitions,
        "outages": outages::to_json(rows),
    })
}

/// The event that holds the partition back; `null` when none does, or when it is not known because
/// the group's commits were not made by Tidings.
fn oldest_unfinished(row: &Row) -> Value {
    let Some(unfinished) = &row.unfinished else { return Value::Null };
    let (id, ty, time) = match &unfinished.event {
        Some((id, ty, time)) => (Some(id), Some(ty), time.as_ref()),
        None => (None, None, None),
    };
    json!({
        "offset": unfinished.offset, "id": id, "type": ty, "time": time,
        "finished_beyond": unfinished.finished_beyond,
    })
}

fn text(name: &str, group: &Description, rows: &[Row], screen: &Screen) -> String {
    let lag: i64 = rows.iter().map(|row| row.lag).sum();
    let mut text = format!(
        "{}  {} · {} · lag {}\n",
        screen.bold(name),
        group.state,
        output::counted(group.members.len() as i64, "member"),
        output::grouped(lag),
    );
    if group.members.is_empty() && lag > 0 {
        text.push_str(&format!(
            "  {}\n",
            screen.yellow("nobody is handling its events: the group has no members")
        ));
    }
    for line in outages::lines(rows) {
        text.push_str(&format!("  {}\n", screen.yellow(&line)));
    }
    if !group.members.is_empty() {
        text.push('\n');
        text.push_str(&members(&group.members, screen));
    }
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&partitions(rows, screen));
    }
    text
}

fn members(members: &[Member], screen: &Screen) -> String {
    let columns = ["client", "host", "member", "partitions"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns, screen.width);
    for member in members {
        let partitions = match member.partitions.is_empty() {
            true => "none".to_owned(),
            false => member
                .partitions
                .iter()
                .map(|(topic, partition)| format!("{topic}[{partition}]"))
                .collect::<Vec<_>>()
                .join(" "),
        };
        table.row([
            output::printable(&member.client_id),
            member.host.clone(),
            output::printable(&member.id),
            partitions,
        ]);
    }
    table.render()
}

fn partitions(rows: &[Row], screen: &Screen) -> String {
    let columns = [
        ("topic", Align::Left),
        ("partition", Align::Right),
        ("committed", Align::Right),
        ("end", Align::Right),
        ("lag", Align::Right),
        ("oldest unfinished", Align::Left),
    ];
    let mut table = Table::new(&columns, screen.width);
    for row in rows {
        let unfinished = row.unfinished.as_ref().map_or(String::new(), |unfinished| {
            let event = unfinished.event.as_ref().map_or("no event".to_owned(), |(id, ty, _)| {
                output::printable(&format!("{} {id}", short_type(ty)))
            });
            match unfinished.finished_beyond {
                0 => event,
                n => format!("{event} ({n} later ones done)"),
            }
        });
        table.row([
            row.topic.clone(),
            row.partition.to_string(),
            row.committed.map_or("-".to_owned(), output::grouped),
            output::grouped(row.end),
            output::grouped(row.lag),
            unfinished,
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use tidings::progress::Outage;

    use super::standing::Unfinished;
    use super::*;

    fn sample() -> (Description, Vec<Row>) {
        let member = Member {
            id: "payments-0-1f".to_owned(),
            client_id: "payments".to_owned(),
            host: "127.0.0.1".to_owned(),
            partitions: vec![("orders".to_owned(), 0)],
        };
        let group = Description { state: "Stable".to_owned(), members: vec![member] };
        let row = |partition, committed, end, lag, unfinished| Row {
            topic: "orders".to_owned(),
            partition,
            committed,
            end,
            lag,
            unfinished,
            outages: vec![],
        };
        let event = ("0193f2".to_owned(), "com.example.order.placed.v1".to_owned(), None);
        let unfinished = Unfinished { offset: 1398, finished_beyond: 2, event: Some(event) };
        let mut rows =
            vec![row(0, Some(1398), 1401, 3, Some(unfinished)), row(1, None, 7, 7, None)];
        let since = "2026-11-27T06:40:11Z".parse().expect("a time");
        rows[0].outages.extend(Outage::new("charge", since));
        (group, rows)
    }

    #[test]
    fn a_group_for_people() {
        let (group, rows) = sample();
        insta::assert_snapshot!(text("payments", &group, &rows, &Screen::plain()));
    }

    #[test]
    fn a_group_for_scripts() {
        let (group, rows) = sample();
        insta::assert_json_snapshot!(to_json("payments", &group, &rows));
    }
}
