//! `tidings dlq ls`: what waits. A line per dead letter; where events are parked, a line per key,
//! because its handler takes a key's events one after the other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::index::Index;
use super::letter::{Letter, counted, when};
use super::range::Read;
use super::topics;
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};
use crate::{limits, position};

/// How many characters of an id tell enough, if no other id begins with them.
const SHORT_ID: usize = 8;

/// Flags of `tidings dlq ls`.
#[derive(Debug, clap::Args)]
pub struct LsArgs {
    /// Topics of dead letters [default: all that look like it: *.dlq, *.DLT, *-dlt]
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
    /// Show also those that are over: done or discarded
    #[arg(long)]
    all: bool,
    /// Read copies from this time on [default: all while they are few, else the newest ones]
    #[arg(long, value_name = "TIME", value_parser = position::since)]
    since: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One line: a letter, and how many of its key are parked with it.
struct Row<'a> {
    letter: &'a Letter,
    events: usize,
}

/// Lists what waits.
pub fn run(args: &LsArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let chosen = topics::chosen(&cluster, &args.topics)?;
    let is_none = chosen.is_empty();
    let (index, read) = Index::scan(&cluster, chosen, args.since, &[], screen, |_, _| {})?;
    let others = index.others;
    let letters = index.into_letters();
    if args.json {
        return output::json(to_json(&letters, args.all, &read));
    }
    if is_none {
        return output::line(&topics::none(&cluster));
    }
    output::print(&text(&letters, args.all, &read, &TimeZone::system(), screen))?;
    if others > 0 {
        let records = output::counted(others as i64, "record");
        output::note(&format!("without the headers of dead letters: {records} in these topics"));
    }
    for topic in args.topics.iter().filter(|topic| letters.iter().all(|l| l.topic() != *topic)) {
        let meant = topics::of_source(&cluster, topic);
        if !meant.is_empty() {
            output::note(&format!("the dead letters of {topic} are in {}", meant.join(", ")));
        }
    }
    Ok(())
}

fn to_json(letters: &[Letter], all: bool, read: &Read) -> Value {
    let shown = letters.iter().filter(|letter| all || !letter.is_over());
    let over = letters.iter().filter(|letter| letter.is_over()).count();
    json!({
        "read": read.to_json(),
        "over": over,
        "letters": shown.map(Letter::to_json).collect::<Vec<_>>(),
    })
}

fn text(letters: &[Letter], all: bool, read: &Read, zone: &TimeZone, screen: &Screen) -> String {
    let ids = ShortIds::of(letters);
    let shown: Vec<&Letter> = letters.iter().filter(|letter| all || !letter.is_over()).collect();
    let rows = rows(&shown);
    let over = letters.iter().filter(|letter| letter.is_over()).count();
    let mut text = String::new();
    let mut lines = 0;
    for topic in &read.topics {
        let of_topic: Vec<&Row<'_>> =
            rows.iter().filter(|row| row.letter.topic() == topic).collect();
        if of_topic.is_empty() || lines >= limits::DEAD_LETTER_LINES {
            continue;
        }
        text.push_str(&format!("{}  {}\n\n", screen.bold(topic), standing(letters, topic)));
        let room = limits::DEAD_LETTER_LINES - lines;
        let table = table(&of_topic[..of_topic.len().min(room)], &ids, zone);
        for line in table.lines() {
            text.push_str(&screen.fit(line));
            text.push('\n');
        }
        text.push('\n');
        lines += of_topic.len().min(room);
    }
    if rows.is_empty() {
        text.push_str(&format!("no dead letters wait in {}\n", read.topics.join(", ")));
    }
    if rows.len() > lines {
        text.push_str(&format!(
            "and {} more; all of them:  --json  what they have in common:  tidings dlq groups\n",
            output::grouped((rows.len() - lines) as i64)
        ));
    }
    if over > 0 && !all {
        let verb = if over == 1 { "is" } else { "are" };
        text.push_str(&format!("{} {verb} over (done or discarded):  --all\n", counted(over)));
    }
    if let Some(row) = rows.first() {
        text.push_str(&format!("one of them whole:  tidings dlq show {}\n", ids.name(row.letter)));
    }
    if let Some(remark) = read.remark() {
        text.push_str(&format!("{remark}\n"));
    }
    text
}

/// `3 wait · 2 parked · 1 retrying`.
fn standing(letters: &[Letter], topic: &str) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for word in ["waits", "parked", "edited", "retrying", "done", "discarded"] {
        let is = |letter: &&Letter| letter.topic() == topic && letter.state_word() == word;
        counts.push((word, letters.iter().filter(is).count()));
    }
    let said = counts.iter().filter(|(_, count)| *count > 0).map(|(word, count)| {
        let word = if *word == "waits" && *count != 1 { "wait" } else { word };
        format!("{} {word}", output::grouped(*count as i64))
    });
    said.collect::<Vec<_>>().join(" · ")
}

/// One row per key of parked events, headed by the one that its handler takes first; one per letter
/// for all others.
fn rows<'a>(letters: &[&'a Letter]) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut keys = BTreeMap::new();
    for &letter in letters {
        if !letter.is_parked() || letter.key.is_none() {
            rows.push(Row { letter, events: 1 });
            continue;
        }
        let key =
            (letter.topic(), &letter.group, &letter.handler, &letter.origin_topic, &letter.key);
        match keys.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(rows.len());
                rows.push(Row { letter, events: 1 });
            }
            Entry::Occupied(entry) => {
                let row = &mut rows[*entry.get()];
                row.events += 1;
                if letter.origin < row.letter.origin {
                    row.letter = letter;
                }
            }
        }
    }
    rows
}

fn table(rows: &[&Row<'_>], ids: &ShortIds<'_>, zone: &TimeZone) -> String {
    let columns = [
        ("dead letter", Align::Left),
        ("state", Align::Left),
        ("key", Align::Left),
        ("handler", Align::Left),
        ("type", Align::Left),
        ("last failed", Align::Left),
        ("attempts", Align::Right),
        ("reason", Align::Left),
    ];
    // A letter stays one line: what is too wide is cut, not wrapped.
    let mut table = Table::new(&columns, None);
    for Row { letter, events } in rows {
        let key = output::printable(letter.key.as_deref().unwrap_or("-"));
        table.row([
            ids.name(letter),
            letter.state_word().to_owned(),
            if *events > 1 { format!("{key} ({events} events)") } else { key },
            output::printable(letter.who()),
            output::printable(letter.short_type()),
            when(letter.last_failed, zone),
            letter.attempts.map_or("-".to_owned(), |n| n.to_string()),
            output::printable(letter.reason()),
        ]);
    }
    table.render()
}

/// The beginnings of ids that `show` takes: as short as they can be without meaning two events.
pub struct ShortIds<'a>(Vec<&'a str>);

impl<'a> ShortIds<'a> {
    /// The ids of these letters.
    pub fn of(letters: &'a [Letter]) -> Self {
        let mut ids: Vec<&str> = letters.iter().filter_map(|letter| letter.id.as_deref()).collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids)
    }

    /// What to call a letter: the beginning of its event's id, else its address.
    pub fn name(&self, letter: &Letter) -> String {
        let plain =
            |id: &&str| id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(c));
        match letter.id.as_deref().filter(plain) {
            Some(id) if !id.is_empty() && !id.starts_with('-') => self.short(id).to_owned(),
            _ => letter.newest.address.to_string(),
        }
    }

    fn short<'b>(&self, id: &'b str) -> &'b str {
        let at = self.0.partition_point(|other| *other < id);
        let neighbours = [at.checked_sub(1), Some(at + 1)];
        let common = neighbours
            .into_iter()
            .flatten()
            .filter_map(|at| self.0.get(at))
            .map(|other| id.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count())
            .max()
            .unwrap_or(0);
        let length = SHORT_ID.max(common + 1);
        // An id that is little longer is shown whole.
        if id.len() <= length + 4 { id } else { &id[..length] }
    }
}

#[cfg(test)]
mod tests;
