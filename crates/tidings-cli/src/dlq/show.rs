//! `tidings dlq show ID|ADDRESS`: one dead letter whole: where it came from, why, its copies, its
//! headers and data, and what to do next.

mod text;

use std::collections::{BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tidings::RecordAddress;
use tidings::cloudevents::{CloudEvent, Record};
use tidings::dead_letter::{self, DeadLetter, LetterState};

use super::identity::{Identity, Place};
use super::index::{self, Index};
use super::letter::Letter;
use super::topics;
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::{self, Screen};
use crate::record;
use crate::{limits, position};

/// Flags of `tidings dlq show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The event's id, or its beginning; or the place of a copy or of the event itself:
    /// topic[partition]@offset
    #[arg(value_name = "ID|ADDRESS")]
    what: String,
    /// Look in this topic; may be repeated [default: all that look like it: *.dlq, *.DLT, *-dlt]
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Read copies from this time on [default: all while they are few, else the newest ones]
    #[arg(long, value_name = "TIME", value_parser = position::since)]
    since: Option<Timestamp>,
    /// Print a JSON object per dead letter: one event may be given up by several handlers
    #[arg(long)]
    json: bool,
}

/// What is looked for.
enum Asked {
    /// The dead letter that this is a copy of.
    Copy(RecordAddress, Identity),
    /// Those of the event that lies here.
    Origin(RecordAddress),
    /// Those of events whose id begins so.
    Id(String),
}

/// One dead letter with the newest of its copies.
struct Whole {
    letter: Letter,
    newest: Record,
    copies: VecDeque<Copy>,
}

/// A copy in the history of a letter.
struct Copy {
    address: RecordAddress,
    written: Option<Timestamp>,
    state: Option<LetterState>,
    attempts: Option<u32>,
    reason: String,
}

/// Shows it.
pub fn run(args: &ShowArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let asked = asked(&cluster, &args.what)?;
    let (topics, copies) = match &asked {
        Asked::Copy(copy, _) => (vec![copy.topic.clone()], vec![copy.clone()]),
        _ => (args.topics.clone(), Vec::new()),
    };
    let chosen = topics::chosen(&cluster, &topics)?;
    let mut found = Found::default();
    let since = args.since;
    let (index, read) =
        Index::scan(&cluster, chosen, since, &copies, screen, |record, identity| {
            if found.is_asked(&asked, record, identity) {
                found.see(record, identity);
            }
        })?;
    let mut letters = found.into_letters(&index);
    if let Asked::Id(id) = &asked {
        letters = of_one_event(id, letters)?;
    }
    if letters.is_empty() {
        let mut failure =
            Failure::not_found(format!("no dead letter `{}`", output::printable(&args.what)));
        failure = match read.topics.is_empty() {
            true => failure.because(topics::none(&cluster)),
            false => failure.because(format!("looked in {}", read.topics.join(", "))),
        };
        if let Some(remark) = read.remark() {
            failure = failure.because(remark);
        }
        return Err(failure
            .help("see what waits:  tidings dlq ls")
            .help("in a topic of another name:  --topic TOPIC"));
    }
    if args.json {
        return letters.iter().try_for_each(|whole| output::json(to_json(whole)));
    }
    let zone = TimeZone::system();
    let texts: Vec<String> =
        letters.iter().map(|whole| text::whole(whole, &zone, screen)).collect();
    output::print(&texts.join("\n"))?;
    if let Some(remark) = read.remark() {
        output::note(&remark);
    }
    Ok(())
}

fn asked(cluster: &Cluster, what: &str) -> Result<Asked, Failure> {
    let Ok(address) = what.parse::<RecordAddress>() else {
        return match what.trim().is_empty() {
            true => Err(Failure::usage("name a dead letter by its event's id or by its place")
                .help("see what waits:  tidings dlq ls")),
            false => Ok(Asked::Id(what.to_owned())),
        };
    };
    let record = index::record_at(cluster, &address)?;
    Ok(match record.and_then(|record| DeadLetter::read(&record).map(|letter| (record, letter))) {
        Some((record, letter)) => {
            let identity = Identity::of(&record, &letter);
            Asked::Copy(record.address(), identity)
        }
        None => Asked::Origin(address),
    })
}

/// The letters that were asked for, while the topics are read.
#[derive(Default)]
struct Found {
    letters: HashMap<Identity, Whole>,
}

impl Found {
    fn is_asked(&self, asked: &Asked, record: &Record, identity: &Identity) -> bool {
        // A copy that was too large has no id; it is known by the ones before it.
        if self.letters.contains_key(identity) {
            return true;
        }
        if self.letters.len() >= limits::DEAD_LETTER_MATCHES {
            return false;
        }
        match asked {
            Asked::Copy(_, wanted) => identity == wanted,
            Asked::Origin(wanted) => {
                matches!(identity, Identity::Event { origin, .. } if origin == wanted)
            }
            Asked::Id(start) => CloudEvent::from_record(record)
                .is_ok_and(|event| event.id.as_str().starts_with(start.as_str())),
        }
    }

    fn see(&mut self, record: &Record, identity: &Identity) {
        let Some(letter) = Letter::of(record) else { return };
        let copy = Copy {
            address: record.address(),
            written: record::timestamp(record),
            state: letter.state,
            attempts: letter.attempts,
            reason: letter.reason().to_owned(),
        };
        let Some(whole) = self.letters.get_mut(identity) else {
            let copies = VecDeque::from([copy]);
            let whole = Whole { letter, newest: record.clone(), copies };
            self.letters.insert(identity.clone(), whole);
            return;
        };
        if Place::of(record).is_after(&Place::of(&whole.newest)) {
            whole.newest = record.clone();
        }
        whole.letter.merge(letter);
        whole.copies.push_back(copy);
        if whole.copies.len() > limits::DEAD_LETTER_COPIES {
            whole.copies.pop_front();
        }
    }

    /// The letters in the order of their places.
    fn into_letters(self, index: &Index) -> Vec<Whole> {
        let mut all: Vec<Whole> = self.letters.into_values().collect();
        for whole in &mut all {
            // The index has also seen copies that came before the first one with an id.
            if let Some(letter) = index.letter(&whole.letter.identity) {
                whole.letter.copies = whole.letter.copies.max(letter.copies);
            }
            whole.copies.make_contiguous().sort_by_key(|copy| (copy.written, copy.address.clone()));
        }
        all.sort_by_key(|whole| whole.newest.address());
        all
    }
}

/// The letters of the event that the beginning of an id means.
fn of_one_event(start: &str, mut letters: Vec<Whole>) -> Result<Vec<Whole>, Failure> {
    let id = |whole: &Whole| whole.letter.id.clone().unwrap_or_default();
    if letters.iter().any(|whole| id(whole) == start) {
        letters.retain(|whole| id(whole) == start);
        return Ok(letters);
    }
    let ids: BTreeSet<String> = letters.iter().map(id).collect();
    match ids.len() {
        0 | 1 => Ok(letters),
        _ => Err(ambiguous(start, &ids)),
    }
}

/// Says that several ids begin so.
pub fn ambiguous(start: &str, ids: &BTreeSet<String>) -> Failure {
    const NAMED: usize = 5;
    let mut failure = Failure::usage(format!(
        "`{}` is the beginning of {} ids or more",
        output::printable(start),
        ids.len()
    ));
    for id in ids.iter().take(NAMED) {
        failure = failure.because(output::printable(id));
    }
    failure.help("give more of the id, or the place of a copy as `tidings dlq ls --json` has it")
}

fn to_json(whole: &Whole) -> Value {
    let record = &whole.newest;
    let event = CloudEvent::from_record(record).ok();
    let own = dead_letter::strip(&record.headers);
    let header = |(name, value): &(String, Option<bytes::Bytes>)| {
        let text = value.as_deref().map(|value| match std::str::from_utf8(value) {
            Ok(text) => json!({"name": name, "value": text}),
            Err(_) => json!({"name": name, "value_base64": base64(value)}),
        });
        text.unwrap_or_else(|| json!({"name": name, "value": null}))
    };
    let copies: Vec<Value> = whole
        .copies
        .iter()
        .map(|copy| {
            json!({
                "address": copy.address.to_string(),
                "written": copy.written.map(|time| time.to_string()),
                "state": copy.state.map(LetterState::as_str),
                "attempts": copy.attempts,
                "reason": copy.reason,
            })
        })
        .collect();
    let letter = DeadLetter::read(record).unwrap_or_default();
    let mut object = whole.letter.to_json();
    if let Value::Object(map) = &mut object {
        map.insert("member".to_owned(), json!(letter.member));
        map.insert("stage".to_owned(), json!(letter.stage));
        map.insert("stacktrace".to_owned(), json!(letter.stacktrace));
        map.insert("history".to_owned(), copies.into());
        map.insert("headers".to_owned(), own.iter().map(header).collect());
        let event = event.and_then(|event| serde_json::from_str(&event.to_json_string()).ok());
        map.insert("event".to_owned(), event.unwrap_or(Value::Null));
        let value = record.value.as_deref().map(base64);
        map.insert("value_base64".to_owned(), json!(value));
    }
    object
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests;
