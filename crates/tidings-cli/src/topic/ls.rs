//! `tidings topic ls`: every topic with its partitions and the number of its records.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};

/// Flags of `tidings topic ls`.
#[derive(Debug, clap::Args)]
pub struct LsArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One line of the list.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    topic: String,
    partitions: i32,
    records: i64,
}

/// Lists the topics.
pub fn run(args: &LsArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let rows = rows(&cluster)?;
    if args.json {
        return output::json(to_json(&rows));
    }
    output::print(&text(&rows, cluster.bootstrap(), screen))
}

fn rows(cluster: &Cluster) -> Result<Vec<Row>, Failure> {
    let reader = cluster.reader()?;
    let names = cluster.topics().keys().map(String::as_str);
    let mut records: BTreeMap<String, i64> = BTreeMap::new();
    for ((topic, _), (start, end)) in cluster.bounds(&reader, &cluster.partitions_of(names)?)? {
        *records.entry(topic).or_default() += end - start;
    }
    Ok(cluster
        .topics()
        .iter()
        .map(|(topic, partitions)| Row {
            topic: topic.clone(),
            partitions: *partitions,
            records: records.get(topic).copied().unwrap_or(0),
        })
        .collect())
}

fn to_json(rows: &[Row]) -> serde_json::Value {
    let topics: Vec<_> = rows
        .iter()
        .map(
            |row| json!({"topic": row.topic, "partitions": row.partitions, "records": row.records}),
        )
        .collect();
    json!({ "topics": topics })
}

fn text(rows: &[Row], bootstrap: &str, screen: &Screen) -> String {
    if rows.is_empty() {
        return format!("no topics at {bootstrap} yet; make one:  tidings topic create orders\n");
    }
    let columns = [("topic", Align::Left), ("partitions", Align::Right), ("records", Align::Right)];
    let mut table = Table::new(&columns, screen.width);
    for row in rows {
        table.row([row.topic.clone(), row.partitions.to_string(), output::grouped(row.records)]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_for_people_and_for_scripts() {
        let rows = [
            Row { topic: "orders".to_owned(), partitions: 4, records: 1204 },
            Row { topic: "payments".to_owned(), partitions: 12, records: 0 },
        ];
        insta::assert_snapshot!(text(&rows, "localhost:9092", &Screen::plain()), @r"
          topic     partitions  records
          orders             4    1,204
          payments          12        0
        ");
        assert_eq!(
            to_json(&rows),
            json!({"topics": [
                {"topic": "orders", "partitions": 4, "records": 1204},
                {"topic": "payments", "partitions": 12, "records": 0},
            ]})
        );
        assert_eq!(
            text(&[], "localhost:9092", &Screen::plain()),
            "no topics at localhost:9092 yet; make one:  tidings topic create orders\n"
        );
    }
}
