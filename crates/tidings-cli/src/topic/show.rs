//! `tidings topic show TOPIC`: the offsets of each partition, and the settings that are not
//! defaults.

use rdkafka::admin::{AdminOptions, ConfigSource, ResourceSpecifier};
use serde_json::{Map, Value, json};
use tidings::link::Act;

use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};
use crate::{limits, runtime};

/// Flags of `tidings topic show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The topic's name
    topic: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is known of a topic.
struct Topic {
    name: String,
    partitions: Vec<(i32, i64, i64)>,
    settings: Vec<Setting>,
}

struct Setting {
    name: String,
    value: Option<String>,
    is_default: bool,
}

/// Shows one topic.
pub fn run(args: &ShowArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let partitions = cluster.partitions_of([args.topic.as_str()])?;
    let bounds = cluster.bounds(&cluster.reader()?, &partitions)?;
    let topic = Topic {
        name: args.topic.clone(),
        partitions: bounds.into_iter().map(|((_, p), (start, end))| (p, start, end)).collect(),
        settings: settings(&cluster, &args.topic)?,
    };
    if args.json {
        return output::json(to_json(&topic));
    }
    output::print(&text(&topic, screen))
}

fn settings(cluster: &Cluster, topic: &str) -> Result<Vec<Setting>, Failure> {
    let admin = cluster.admin()?;
    let options = AdminOptions::new().request_timeout(Some(limits::REQUEST_TIMEOUT));
    let resource = [ResourceSpecifier::Topic(topic)];
    let answers = runtime::block_on(admin.describe_configs(&resource, &options))?
        .map_err(|error| cluster.no_answer(&error))?;
    let mut settings = Vec::new();
    for answer in answers {
        let resource = answer.map_err(|code| {
            if let Some(failure) = cluster.refused_code(code, Act::DescribeConfigs(topic)) {
                return failure;
            }
            Failure::new(format!("cannot read the settings of `{topic}`")).because(code)
        })?;
        settings.extend(resource.entries.into_iter().map(|entry| Setting {
            is_default: entry.is_default || entry.source == ConfigSource::Default,
            value: if entry.is_sensitive { Some("(hidden)".to_owned()) } else { entry.value },
            name: entry.name,
        }));
    }
    settings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(settings)
}

fn to_json(topic: &Topic) -> Value {
    let partitions: Vec<_> = topic
        .partitions
        .iter()
        .map(|(partition, start, end)| {
            json!({"partition": partition, "start": start, "end": end, "records": end - start})
        })
        .collect();
    let settings: Map<String, Value> = topic
        .settings
        .iter()
        .map(|setting| {
            (setting.name.clone(), json!({"value": setting.value, "default": setting.is_default}))
        })
        .collect();
    json!({"topic": topic.name, "partitions": partitions, "settings": settings})
}

fn text(topic: &Topic, screen: &Screen) -> String {
    let records: i64 = topic.partitions.iter().map(|(_, start, end)| end - start).sum();
    let mut text = format!(
        "{}  {} · {}\n\n",
        screen.bold(&topic.name),
        output::counted(topic.partitions.len() as i64, "partition"),
        output::counted(records, "record"),
    );
    let columns = ["partition", "start", "end", "records"].map(|name| (name, Align::Right));
    let mut table = Table::new(&columns, screen.width);
    for (partition, start, end) in &topic.partitions {
        table.row([
            partition.to_string(),
            output::grouped(*start),
            output::grouped(*end),
            output::grouped(end - start),
        ]);
    }
    text.push_str(&table.render());
    let mut table = Table::new(&[("setting", Align::Left), ("value", Align::Left)], screen.width);
    let mut changed = 0;
    for setting in topic.settings.iter().filter(|setting| !setting.is_default) {
        changed += 1;
        table.row([setting.name.clone(), setting.value.clone().unwrap_or_default()]);
    }
    if changed > 0 {
        text.push('\n');
        text.push_str(&table.render());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_for_people_and_for_scripts() {
        let setting = |name: &str, value: &str, is_default| Setting {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            is_default,
        };
        let topic = Topic {
            name: "orders".to_owned(),
            partitions: vec![(0, 0, 1204), (1, 17, 17)],
            settings: vec![
                setting("cleanup.policy", "delete", true),
                setting("retention.ms", "3600000", false),
            ],
        };
        insta::assert_snapshot!(text(&topic, &Screen::plain()), @r"
        orders  2 partitions · 1,204 records

          partition  start    end  records
                  0      0  1,204    1,204
                  1     17     17        0

          setting       value
          retention.ms  3600000
        ");
        insta::assert_json_snapshot!(to_json(&topic), @r#"
        {
          "partitions": [
            {
              "end": 1204,
              "partition": 0,
              "records": 1204,
              "start": 0
            },
            {
              "end": 17,
              "partition": 1,
              "records": 0,
              "start": 17
            }
          ],
          "settings": {
            "cleanup.policy": {
              "default": true,
              "value": "delete"
            },
            "retention.ms": {
              "default": false,
              "value": "3600000"
            }
          },
          "topic": "orders"
        }
        "#);
    }
}
