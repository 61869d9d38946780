//! `tidings event get ID`: one event with all that is known of it: attributes, place, headers,
//! data, its copies and its dead letters. The scan is bounded and its range is shown.

use std::ops::ControlFlow;
use std::time::SystemTime;

use jiff::Timestamp;
use tidings::cloudevents::CloudEvent;

use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::flow::{Dead, Scanned, range};
use crate::output::{self, Screen};
use crate::record::{self, Seen};
use crate::scan::Plan;
use crate::{data, event_id, position};

/// Flags of `tidings event get`.
#[derive(Debug, clap::Args)]
pub struct GetArgs {
    /// The event's id, or the place of a record: topic[partition]@offset
    id: String,
    /// Look only in this topic; may be repeated [default: all topics]
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Scan from this time on [default: everything while the topics are small, else the last hour,
    /// or the time in the event's id]
    #[arg(long, value_name = "TIME", value_parser = position::since)]
    since: Option<Timestamp>,
    /// Print one CloudEvents JSON object per copy
    #[arg(long)]
    json: bool,
}

/// Finds the event and shows it.
pub fn run(args: &GetArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let (mut found, scanned) = find(&cluster, args, screen)?;
    if found.is_empty() {
        let failure = Failure::not_found(format!("no event `{}`", output::printable(&args.id)))
            .because(range(&scanned));
        return Err(match scanned.from {
            Some(_) => failure.help("scan more:  --since 2d"),
            None => failure.help("see what is there:  tidings event tail TOPIC --from beginning"),
        });
    }
    // The event itself first, then its dead letters.
    found.sort_by_key(|seen| (Dead::of(&seen.record).is_some(), seen.record.address()));
    if args.json {
        return found.iter().try_for_each(|seen| output::line(&seen.json_line()));
    }
    let texts: Vec<String> = found.iter().map(|seen| text(seen, screen)).collect();
    output::print(&texts.join("\n"))?;
    output::note(&screen_note(&scanned));
    Ok(())
}

fn screen_note(scanned: &Scanned) -> String {
    format!("({})", range(scanned))
}

fn find(
    cluster: &Cluster,
    args: &GetArgs,
    screen: &Screen,
) -> Result<(Vec<Seen>, Scanned), Failure> {
    let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let topics: Vec<String> = match args.topics.is_empty() {
        true => cluster.topics().keys().filter(|name| !name.starts_with("__")).cloned().collect(),
        false => args.topics.clone(),
    };
    let place = at_address(cluster, &args.id)?;
    let is_place = place.is_some();
    let plan = match place {
        Some(plan) => plan,
        None => Plan::new(cluster, topics, args.since, event_id::scan_from(&args.id, now))?,
    };
    let scanned = Scanned {
        from: plan.from(),
        to: now,
        records: plan.records(),
        topics: plan.topics().to_vec(),
    };
    let bar = screen.progress_bar(plan.records(), "scanning");
    let mut found = Vec::new();
    plan.run(&bar, |message| {
        if is_place || record::may_have_id(message, &args.id) {
            let seen = Seen::of(message);
            let has_id = |event: &CloudEvent| event.id.as_str() == args.id;
            if is_place || seen.event.as_ref().is_ok_and(has_id) {
                found.push(seen);
            }
        }
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    Ok((found, scanned))
}

/// The plan for one record, when the id is an address of an existing partition.
pub fn at_address(cluster: &Cluster, id: &str) -> Result<Option<Plan>, Failure> {
    let Ok(address) = id.parse::<tidings::RecordAddress>() else { return Ok(None) };
    if cluster.topics().get(&address.topic).is_none_or(|count| address.partition.0 >= *count) {
        return Ok(None);
    }
    let reader = cluster.reader()?;
    let name = (address.topic.clone(), address.partition.0);
    let bounds = cluster.bounds(&reader, std::slice::from_ref(&name))?;
    let (start, end) = bounds.get(&name).copied().unwrap_or_default();
    let from = address.offset.0.clamp(start, end);
    let to = (address.offset.0 + 1).clamp(from, end);
    let span = crate::scan::Span { topic: name.0, partition: name.1, from, to };
    Ok(Some(Plan::of_spans(reader, vec![address.topic], vec![span])))
}

fn text(seen: &Seen, screen: &Screen) -> String {
    let record = &seen.record;
    let mut lines = Vec::new();
    let mut line = |name: &str, value: &str| {
        lines.push(format!(
            "  {}  {}",
            screen.dim(&format!("{name:<16}")),
            output::printable(value)
        ));
    };
    let title = match &seen.event {
        Ok(event) => {
            line("type", &event.ty);
            line("source", &event.source);
            let optional = [
                ("subject", &event.subject),
                ("time", &event.time),
                ("datacontenttype", &event.datacontenttype),
                ("dataschema", &event.dataschema),
            ];
            for (name, value) in optional {
                if let Some(value) = value {
                    line(name, value);
                }
            }
            for (name, value) in &event.extensions {
                line(name, value);
            }
            screen.bold(&output::printable(event.id.as_str()))
        }
        Err(reason) => {
            screen.yellow(&format!("no event: {}", output::printable(&reason.to_string())))
        }
    };
    if let Some(key) = &record.key {
        line("key", &String::from_utf8_lossy(key));
    }
    if let Some(time) = record::timestamp(record) {
        line("written", &time.to_string());
    }
    let headers = match &seen.event {
        Ok(event) => &event.headers,
        Err(_) => &record.headers,
    };
    for (name, value) in headers {
        let value = value.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        line(&format!("header {}", output::printable(name)), &value);
    }
    let mut text = format!("{title}  {}\n", record.address());
    if let Some(dead) = Dead::of(record) {
        text.push_str(&format!("  {}\n", screen.red(&dead.sentence())));
    }
    text.push_str(&lines.join("\n"));
    text.push_str(&format!("\n\n{}\n", data::text(seen)));
    text
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidings::cloudevents::Record;
    use tidings::{Offset, PartitionId};

    use super::*;

    fn seen(value: &'static str, headers: &[(&str, &str)]) -> Seen {
        let ours = [
            ("ce_specversion", "1.0"),
            ("ce_id", "0193f2"),
            ("ce_source", "/orders"),
            ("ce_type", "com.example.order.placed.v1"),
            ("ce_correlationid", "0193f2"),
            ("content-type", "application/json"),
        ];
        let header = |(name, value): &(&str, &str)| {
            ((*name).to_owned(), Some(Bytes::copy_from_slice(value.as_bytes())))
        };
        let record = Record {
            topic: "orders".to_owned(),
            partition: PartitionId(3),
            offset: Offset(401),
            timestamp_ms: Some(1_770_000_000_123),
            key: Some(Bytes::from_static(b"1042")),
            value: Some(Bytes::from_static(value.as_bytes())),
            headers: ours.iter().chain(headers).map(header).collect(),
        };
        let event = CloudEvent::from_record(&record);
        Seen { record, event }
    }

    #[test]
    fn all_that_is_known_of_an_event() {
        let seen = seen(r#"{"order_id": "1042","total_cents":4990}"#, &[("traceparent", "00-1f")]);
        insta::assert_snapshot!(text(&seen, &Screen::plain()));
    }
}
