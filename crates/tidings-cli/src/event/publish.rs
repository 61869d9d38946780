//! `tidings event publish TOPIC`: one event from flags, or many from JSON lines. Each is printed
//! when the broker has acknowledged it, with its id, partition and offset.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::time::Instant;

use indicatif::ProgressBar;
use serde_json::json;
use serde_json::value::RawValue;
use tidings::cloudevents::CloudEvent;
use tidings::config::Settings;
use tidings::{Ack, Draft, PublishError, Publisher, Receipt};

use super::jsonl::{Keyed, Line, Lines};
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::{Exit, Failure, causes};
use crate::output::{self, Screen};
use crate::{limits, runtime, settings};

/// Flags of `tidings event publish`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["data", "from"]))]
pub struct PublishArgs {
    /// The topic to publish to
    topic: String,
    /// The event's type, such as com.example.order.placed.v1
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "from")]
    ty: Option<String>,
    /// The record's key: events of one key stay in order
    #[arg(long)]
    key: Option<String>,
    /// What the event is about, such as order/1042
    #[arg(long, conflicts_with = "from")]
    subject: Option<String>,
    /// Who publishes it, a URI reference such as /shop/orders [default: /tidings]
    #[arg(long, value_name = "URI", conflicts_with = "from")]
    source: Option<String>,
    /// A Kafka header; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// The event's data: JSON, or @FILE with JSON in it
    #[arg(long, value_name = "JSON|@FILE", requires = "ty")]
    data: Option<String>,
    /// Publish many: one CloudEvents JSON object per line of this file, or of standard input with -
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["data", "ty"])]
    from: Option<String>,
    /// Check every line first, and publish nothing if one of them is bad
    #[arg(long, requires = "from")]
    all_or_nothing: bool,
    /// Check the events, and publish nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object per event
    #[arg(long)]
    json: bool,
}

/// Publishes.
pub fn run(args: &PublishArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let headers = headers(&args.headers)?;
    let settings = settings::load(global)?;
    match (&args.from, &args.ty, &args.data) {
        (Some(from), _, _) => {
            let input = open(from)?;
            many(args, global, screen, &settings, headers, input)
        }
        (None, Some(ty), Some(data)) => {
            let event = CloudEvent {
                ty: ty.clone(),
                source: args.source.clone().unwrap_or_default(),
                subject: args.subject.clone(),
                datacontenttype: Some("application/json".to_owned()),
                data: Some(json_data(data)?.into()),
                headers,
                ..CloudEvent::default()
            };
            one(args, global, &settings, event)
        }
        _ => Err(Failure::usage("give --type and --data, or --from")),
    }
}

fn one(
    args: &PublishArgs,
    global: &Global,
    settings: &Settings,
    event: CloudEvent,
) -> Result<(), Failure> {
    check_topic(args, global, settings)?;
    let key = args.key.clone().map(Into::into);
    let draft = Draft::dynamic(event, &args.topic, key);
    if args.dry_run {
        return output::line(&format!("would publish 1 event to {}", args.topic));
    }
    let receipt = runtime::block_on(async {
        let publisher = Publisher::with(settings).await.map_err(cannot)?;
        let receipt = publisher.publish(draft).await.map_err(refused)?;
        publisher.close().await.map_err(cannot)?;
        Ok::<_, Failure>(receipt)
    })??;
    print(&receipt, args.json)
}

/// A wrong name should not become a topic, unless the settings say that topics are created.
fn check_topic(args: &PublishArgs, global: &Global, settings: &Settings) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    if settings.create_topics() || cluster.topics().contains_key(&args.topic) {
        return Ok(());
    }
    Err(cluster.unknown_topic(&args.topic))
}

fn many(
    args: &PublishArgs,
    global: &Global,
    screen: &Screen,
    settings: &Settings,
    headers: Vec<(String, Option<bytes::Bytes>)>,
    input: Input,
) -> Result<(), Failure> {
    let mut source = Source { lines: Lines::new(input.lines), args, headers, bad: Bad::default() };
    let bar = match input.bytes {
        Some(bytes) => screen.progress_bar(bytes, "publishing"),
        None => screen.progress_bar(0, "publishing"),
    };
    let began = Instant::now();
    let checked = match args.all_or_nothing || args.dry_run {
        true => Some(source.check_all(&input.name)?),
        false => None,
    };
    check_topic(args, global, settings)?;
    if args.dry_run {
        let events = checked.map_or(0, |drafts| drafts.len());
        output::line(&format!("would publish {}", to_topic(events as u64, &args.topic)))?;
        return source.bad.verdict(&input.name, events as u64);
    }
    let published = runtime::block_on(async {
        let publisher = Publisher::with(settings).await.map_err(cannot)?;
        let mut flight = Flight { args, screen, acks: VecDeque::new(), published: 0 };
        match checked {
            Some(drafts) => {
                for (line, draft) in drafts {
                    flight.send(&publisher, line, draft, &mut source.bad).await?;
                }
            }
            None => {
                while let Some((line, draft)) = source.next_draft(&bar)? {
                    flight.send(&publisher, line, draft, &mut source.bad).await?;
                }
            }
        }
        flight.land(0, &mut source.bad).await?;
        publisher.close().await.map_err(cannot)?;
        Ok::<_, Failure>(flight.published)
    })??;
    bar.finish_and_clear();
    let took = output::duration(began.elapsed());
    output::note(&format!("published {} in {took}", to_topic(published, &args.topic)));
    source.bad.verdict(&input.name, published)
}

fn to_topic(events: u64, topic: &str) -> String {
    format!("{} to {topic}", output::counted(events as i64, "event"))
}

/// The lines of the input as drafts; bad ones are reported and counted on the way.
struct Source<'a> {
    lines: Lines<Box<dyn BufRead>>,
    args: &'a PublishArgs,
    headers: Vec<(String, Option<bytes::Bytes>)>,
    bad: Bad,
}

impl Source<'_> {
    fn next_draft(&mut self, bar: &ProgressBar) -> Result<Option<(u64, Draft)>, Failure> {
        loop {
            let line = self
                .lines
                .next_line()
                .map_err(|error| Failure::new(format!("cannot read the events: {error}")))?;
            let Some(Line { number, event }) = line else { return Ok(None) };
            bar.set_position(self.lines.bytes_read());
            match event {
                Ok(keyed) => return Ok(Some((number, self.draft(keyed)))),
                Err(reason) => self.bad.line(number, &reason),
            }
        }
    }

    fn draft(&self, keyed: Keyed) -> Draft {
        let mut event = keyed.event;
        event.headers.extend(self.headers.iter().cloned());
        let key = self.args.key.clone().or(keyed.key).map(Into::into);
        Draft::unchanged(event, &self.args.topic, key)
    }

    /// Reads everything before anything is published.
    fn check_all(&mut self, name: &str) -> Result<Vec<(u64, Draft)>, Failure> {
        let mut drafts = Vec::new();
        while let Some(draft) = self.next_draft(&ProgressBar::hidden())? {
            drafts.push(draft);
            if self.lines.bytes_read() > limits::CHECK_FIRST_BYTES {
                return Err(Failure::new(format!(
                    "{name} has more than {} MiB, which is more than is checked first",
                    limits::CHECK_FIRST_BYTES / 1024 / 1024
                ))
                .help("split it, or publish without --all-or-nothing"));
            }
        }
        if self.args.all_or_nothing && self.bad.count > 0 {
            let lines = output::counted(self.bad.count as i64, "bad line");
            return Err(Failure::new(format!("{name} has {lines}; nothing was published")));
        }
        Ok(drafts)
    }
}

/// Lines that were not published, each said with its number and reason.
#[derive(Default)]
struct Bad {
    count: u64,
}

impl Bad {
    fn line(&mut self, number: u64, reason: &str) {
        self.count += 1;
        if self.count <= limits::BAD_LINES_SHOWN {
            output::note(&format!("line {number}: {}", output::printable(reason)));
        } else if self.count == limits::BAD_LINES_SHOWN + 1 {
            output::note("further bad lines are counted and not shown");
        }
    }

    fn verdict(&self, name: &str, published: u64) -> Result<(), Failure> {
        if self.count == 0 {
            return Ok(());
        }
        let lines = output::counted(self.count as i64, "line");
        let verb = if self.count == 1 { "was" } else { "were" };
        Err(Failure::new(format!("{lines} of {name} {verb} not published"))
            .because(format!("the other {} were", output::grouped(published as i64)))
            .exit(Exit::Partly))
    }
}

/// Events on their way to the broker, oldest first.
struct Flight<'a> {
    args: &'a PublishArgs,
    screen: &'a Screen,
    acks: VecDeque<(u64, Ack)>,
    published: u64,
}

impl Flight<'_> {
    async fn send(
        &mut self,
        publisher: &Publisher,
        line: u64,
        draft: Draft,
        bad: &mut Bad,
    ) -> Result<(), Failure> {
        match publisher.enqueue(draft).await {
            Ok(ack) => self.acks.push_back((line, ack)),
            Err(error) if is_this_event(&error) => bad.line(line, &causes(&error)),
            Err(error) => return Err(self.broken(error)),
        }
        self.land(limits::EVENTS_IN_FLIGHT, bad).await
    }

    /// Waits until at most so many are on their way.
    async fn land(&mut self, at_most: usize, bad: &mut Bad) -> Result<(), Failure> {
        while self.acks.len() > at_most {
            let Some((line, ack)) = self.acks.pop_front() else { break };
            match ack.await {
                Ok(receipt) => {
                    self.published += 1;
                    if self.args.json || !self.screen.terminal {
                        print(&receipt, self.args.json)?;
                    }
                }
                Err(error) if is_this_event(&error) => bad.line(line, &causes(&error)),
                Err(error) => return Err(self.broken(error)),
            }
        }
        Ok(())
    }

    fn broken(&self, error: PublishError) -> Failure {
        refused(error)
            .because(format!(
                "{} before that were acknowledged",
                output::counted(self.published as i64, "event")
            ))
            .exit(if self.published > 0 { Exit::Partly } else { Exit::Failed })
    }
}

/// The event is at fault, so the others can go on.
fn is_this_event(error: &PublishError) -> bool {
    matches!(
        error,
        PublishError::Draft(_) | PublishError::TooLarge { .. } | PublishError::RefusedSize { .. }
    )
}

fn print(receipt: &Receipt, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(json!({
            "id": receipt.id.as_str(),
            "source": receipt.source,
            "topic": receipt.topic,
            "partition": receipt.partition.0,
            "offset": receipt.offset.0,
        }));
    }
    output::line(&format!(
        "{}  {}[{}]@{}",
        output::printable(receipt.id.as_str()),
        receipt.topic,
        receipt.partition,
        receipt.offset
    ))
}

/// An input of JSON lines.
struct Input {
    name: String,
    lines: Box<dyn BufRead>,
    bytes: Option<u64>,
}

fn open(from: &str) -> Result<Input, Failure> {
    if from == "-" {
        let lines = Box::new(BufReader::new(io::stdin()));
        return Ok(Input { name: "standard input".to_owned(), lines, bytes: None });
    }
    let file = File::open(from).map_err(|error| cannot_read(from, &error))?;
    let bytes = file.metadata().map_err(|error| cannot_read(from, &error))?.len();
    let lines = Box::new(BufReader::with_capacity(limits::READ_BUFFER_BYTES, file));
    Ok(Input { name: from.to_owned(), lines, bytes: Some(bytes) })
}

fn cannot_read(path: &str, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("cannot read {path}: {error}"));
    match error.kind() {
        io::ErrorKind::NotFound => failure.exit(Exit::NotFound),
        _ => failure,
    }
}

/// The data of one event: JSON as it was given, byte for byte.
fn json_data(given: &str) -> Result<String, Failure> {
    let (text, from) = match given.strip_prefix('@') {
        Some(path) => (read_data(path)?, path.to_owned()),
        None => (given.to_owned(), "--data".to_owned()),
    };
    serde_json::from_str::<&RawValue>(&text).map_err(|error| {
        Failure::usage(format!("{from} is no JSON: {error}"))
            .help(r#"a text needs its quotes:  --data '"hello"'"#)
    })?;
    Ok(text.trim().to_owned())
}

fn read_data(path: &str) -> Result<String, Failure> {
    let size = Path::new(path).metadata().map_err(|error| cannot_read(path, &error))?.len();
    if size > limits::DATA_FILE_BYTES {
        let limit = limits::DATA_FILE_BYTES / 1024 / 1024;
        return Err(Failure::new(format!("{path} has more than {limit} MiB")));
    }
    std::fs::read_to_string(path).map_err(|error| cannot_read(path, &error))
}

fn headers(given: &[String]) -> Result<Vec<(String, Option<bytes::Bytes>)>, Failure> {
    given
        .iter()
        .map(|text| {
            let (name, value) = settings::name_and_value(text, "--header")?;
            let value = bytes::Bytes::copy_from_slice(value.as_bytes());
            Ok((name.to_owned(), Some(value)))
        })
        .collect()
}

fn cannot(error: tidings::Error) -> Failure {
    Failure::of(&error)
}

fn refused(error: PublishError) -> Failure {
    let exit = match &error {
        PublishError::UnknownTopic { .. } => Exit::NotFound,
        PublishError::NotAllowed { .. } => Exit::NotAllowed,
        PublishError::Unacknowledged { .. } => Exit::Partly,
        _ => Exit::Failed,
    };
    Failure::new(causes(&error)).exit(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_kept_byte_for_byte_and_must_be_json() {
        assert_eq!(json_data(r#" {"a": 1.0e2} "#).expect("JSON"), r#"{"a": 1.0e2}"#);
        let error = json_data("hello").expect_err("no JSON");
        assert_eq!(error.code(), Exit::Usage);
        assert!(error.to_string().starts_with("error: --data is no JSON: expected value"));
        assert_eq!(json_data("@/nowhere/x").expect_err("no file").code(), Exit::NotFound);
    }

    #[test]
    fn headers_are_name_and_value() {
        let headers = headers(&["shop=Hamburg".to_owned(), "empty=".to_owned()]).expect("headers");
        assert_eq!(headers[0], ("shop".to_owned(), Some("Hamburg".into())));
        assert_eq!(headers[1], ("empty".to_owned(), Some("".into())));
        assert!(self::headers(&["shop".to_owned()]).is_err());
    }
}
