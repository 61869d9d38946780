//! `tidings event tail TOPIC...`: a line per event as it happens, or those of a range. What is no
//! event is shown as what it is; nothing is passed by but what the filters say.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use indicatif::ProgressBar;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

use crate::cli::Global;
use crate::cluster::{self, Cluster, Reader, TopicPartition};
use crate::failure::Failure;
use crate::limits;
use crate::output::{self, Screen};
use crate::position::Position;
use crate::record::{self, Key, Seen};
use crate::scan::{self, Plan, Span};

/// Flags of `tidings event tail`.
#[derive(Debug, clap::Args)]
pub struct TailArgs {
    /// The topics to watch
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Where to start: beginning, end, a time (2026-01-31T10:41:07Z, 10:41, or 10m for ten minutes
    /// ago), or -N for the newest N records [default: end, or beginning with --until-end]
    #[arg(long, value_name = "PLACE", value_parser = place, allow_hyphen_values = true)]
    from: Option<Position>,
    /// Stop at the end of the topics as it is now, instead of waiting for more
    #[arg(long)]
    until_end: bool,
    /// Only events of this type: in full, without its version, or as it is shown
    #[arg(long = "type", value_name = "TYPE")]
    ty: Option<String>,
    /// Only this key: VALUE is the record's key, NAME=VALUE the subject NAME/VALUE
    #[arg(long)]
    key: Option<String>,
    /// Print one CloudEvents JSON object per line, with its place in Kafka as attributes
    #[arg(long)]
    json: bool,
}

/// Watches the topics.
pub fn run(args: &TailArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let reader = cluster.reader()?;
    let unique: HashSet<&str> = args.topics.iter().map(String::as_str).collect();
    let mut partitions = cluster.partitions_of(unique)?;
    partitions.sort();
    let printer = Printer::new(args, screen);
    let default = if args.until_end { Position::Beginning } else { Position::End };
    let from = args.from.unwrap_or(default);
    let spans = spans(&cluster, &reader, &partitions, from)?;
    if let Position::Last(n) = from {
        let reader = newest_first_to_last(reader, &args.topics, &spans, n, &printer)?;
        return if args.until_end { Ok(()) } else { follow(&reader, &ends(&spans), &printer) };
    }
    if !args.until_end {
        return follow(&reader, &starts(&spans), &printer);
    }
    let mut failed = None;
    let plan = Plan::of_spans(reader, args.topics.clone(), spans);
    plan.run(&ProgressBar::hidden(), |message| match printer.print(&Seen::of(message)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(failure) => {
            failed = Some(failure);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)
}

fn place(text: &str) -> Result<Position, String> {
    Position::parse_from(text, &ZonedDateTime::now())
}

fn spans(
    cluster: &Cluster,
    reader: &Reader,
    partitions: &[TopicPartition],
    from: Position,
) -> Result<Vec<Span>, Failure> {
    if let Position::Last(n) = from {
        return scan::newest(cluster, reader, partitions, n);
    }
    let bounds = cluster.bounds(reader, partitions)?;
    let times = match from {
        Position::At(time) => {
            let at = Offset::Offset(time.as_millisecond().max(0));
            cluster.offsets(reader, partitions, at)?
        }
        _ => Default::default(),
    };
    Ok(bounds
        .into_iter()
        .map(|(name, (start, end))| {
            let from = match from {
                Position::Beginning => start,
                Position::At(_) => {
                    times.get(&name).map_or(end, |offset| scan::at_or_end(*offset, end))
                }
                _ => end,
            };
            Span { topic: name.0, partition: name.1, from, to: end }
        })
        .collect())
}

fn starts(spans: &[Span]) -> HashMap<TopicPartition, i64> {
    spans.iter().map(|span| ((span.topic.clone(), span.partition), span.from)).collect()
}

fn ends(spans: &[Span]) -> HashMap<TopicPartition, i64> {
    spans.iter().map(|span| ((span.topic.clone(), span.partition), span.to)).collect()
}

/// Prints the newest `n` records of all partitions together, in the order of their times: each
/// partition's newest `n` are read, and of those the newest `n`.
fn newest_first_to_last(
    reader: Reader,
    topics: &[String],
    spans: &[Span],
    n: u64,
    printer: &Printer<'_>,
) -> Result<Reader, Failure> {
    let mut all: Vec<Seen> = Vec::new();
    let plan = Plan::of_spans(reader, topics.to_vec(), spans.to_vec());
    let reader = plan.run(&ProgressBar::hidden(), |message| {
        all.push(Seen::of(message));
        ControlFlow::Continue(())
    })?;
    // A stable sort: records of one partition with equal times stay in their order.
    all.sort_by_key(|seen| {
        (seen.record.timestamp_ms, seen.record.topic.clone(), seen.record.partition)
    });
    let skipped = all.len().saturating_sub(usize::try_from(n).unwrap_or(usize::MAX));
    for seen in &all[skipped..] {
        printer.print(seen)?;
    }
    Ok(reader)
}

/// Prints what comes, until the process is interrupted or nobody reads any more.
fn follow(
    reader: &Reader,
    from: &HashMap<TopicPartition, i64>,
    printer: &Printer<'_>,
) -> Result<(), Failure> {
    let mut list = TopicPartitionList::with_capacity(from.len());
    for ((topic, partition), offset) in from {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .map_err(|error| Failure::new("cannot assign the partitions").because(error))?;
    }
    reader
        .assign(&list)
        .map_err(|error| Failure::new("cannot assign the partitions").because(error))?;
    let mut lost = false;
    loop {
        match reader.poll(Duration::from_secs(1)) {
            None | Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(Ok(message)) => {
                lost = false;
                printer.print(&Seen::of(&message))?;
            }
            Some(Err(error)) if is_refused(&error) => {
                let topics: Vec<&str> = from.keys().map(|(topic, _)| topic.as_str()).collect();
                let refused = cluster::refused_to(reader, &error, &topics);
                return Err(refused.unwrap_or_else(|| Failure::new(error.to_string())));
            }
            // Said once: librdkafka goes on connecting, and events continue where they stopped.
            Some(Err(error)) if !lost => {
                lost = true;
                output::note(&format!("warning: {error}; waiting for the broker"));
            }
            Some(Err(_)) => {}
        }
    }
}

fn is_refused(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed)
}

/// What is printed, and how.
struct Printer<'a> {
    ty: Option<&'a str>,
    key: Option<Key>,
    json: bool,
    screen: &'a Screen,
    zone: TimeZone,
}

impl<'a> Printer<'a> {
    fn new(args: &'a TailArgs, screen: &'a Screen) -> Self {
        Self {
            ty: args.ty.as_deref(),
            key: args.key.as_deref().map(Key::parse),
            json: args.json,
            screen,
            zone: TimeZone::system(),
        }
    }

    fn print(&self, seen: &Seen) -> Result<(), Failure> {
        if !self.wants(seen) {
            return Ok(());
        }
        match self.json {
            true => output::line(&seen.json_line()),
            false => output::line(&self.screen.fit(&line(seen, &self.zone, self.screen))),
        }
    }

    fn wants(&self, seen: &Seen) -> bool {
        let event = seen.event.as_ref().ok();
        let of_type =
            self.ty.is_none_or(|ty| event.is_some_and(|event| record::is_type(&event.ty, ty)));
        let subject = event.and_then(|event| event.subject.as_deref());
        let of_key =
            self.key.as_ref().is_none_or(|key| key.matches(seen.record.key.as_deref(), subject));
        of_type && of_key
    }
}

/// One line for people: time, place, type, subject or key, data.
fn line(seen: &Seen, zone: &TimeZone, screen: &Screen) -> String {
    let record = &seen.record;
    let time = record::timestamp(record).map_or("-".repeat(12), |time| clock(time, zone));
    let place = record.address().to_string();
    let bytes = record.value.as_deref();
    match &seen.event {
        Ok(event) => {
            let key = record.key.as_deref().map(String::from_utf8_lossy);
            let about = event.subject.as_deref().or(key.as_deref()).unwrap_or("-");
            format!(
                "{}  {place:<20}  {:<20}  {:<16}  {}",
                screen.dim(&time),
                screen.cyan(&format!("{:<20}", output::printable(record::short_type(&event.ty)))),
                output::printable(about),
                excerpt(event.data.as_deref()),
            )
        }
        Err(reason) => format!(
            "{}  {place:<20}  {}  {}",
            screen.dim(&time),
            screen.yellow(&format!("no event: {}", reason.name())),
            excerpt(bytes),
        ),
    }
}

fn clock(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S%.3f").to_string()
}

/// The beginning of the data as text; bytes that are no text are counted.
fn excerpt(data: Option<&[u8]>) -> String {
    let Some(data) = data else { return "(no data)".to_owned() };
    match std::str::from_utf8(data) {
        Ok(text) => {
            let short: String = text.chars().take(limits::LINE_CHARS).collect();
            let more = if short.len() < text.len() { "…" } else { "" };
            format!("{}{more}", output::printable(&short))
        }
        Err(_) => format!("({} bytes, no text)", data.len()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidings::cloudevents::{CloudEvent, Record};
    use tidings::{Offset as At, PartitionId};

    use super::*;

    fn seen(headers: &[(&str, &str)], value: &'static [u8]) -> Seen {
        let record = Record {
            topic: "orders".to_owned(),
            partition: PartitionId(3),
            offset: At(401),
            timestamp_ms: Some(1_770_000_000_123),
            key: Some(Bytes::from_static(b"1042")),
            value: Some(Bytes::from_static(value)),
            headers: headers
                .iter()
                .map(|(name, value)| {
                    ((*name).to_owned(), Some(Bytes::copy_from_slice(value.as_bytes())))
                })
                .collect(),
        };
        let event = CloudEvent::from_record(&record);
        Seen { record, event }
    }

    fn shown(seen: &Seen) -> String {
        line(seen, &TimeZone::UTC, &Screen::plain())
    }

    #[test]
    fn a_line_per_event_for_people() {
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", "0193f2"),
            ("ce_source", "/orders"),
            ("ce_type", "com.example.order.placed.v1"),
            ("ce_subject", "order/1042"),
            ("content-type", "application/json"),
        ];
        insta::assert_snapshot!(shown(&seen(&headers, br#"{"order_id":"1042"}"#)));
    }

    #[test]
    fn what_is_no_event_is_shown_as_what_it_is() {
        insta::assert_snapshot!(shown(&seen(&[], b"hello\x1b[2J")));
        insta::assert_snapshot!(shown(&seen(&[], b"\xff\xfe")));
    }

    #[test]
    fn long_data_is_cut() {
        let long: &'static str = Box::leak("x".repeat(1_000).into_boxed_str());
        assert_eq!(excerpt(Some(long.as_bytes())).chars().count(), limits::LINE_CHARS + 1);
        assert_eq!(excerpt(None), "(no data)");
    }
}
