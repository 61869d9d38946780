//! `tidings dlq groups`: dead letters put together by fingerprint, so that a thousand failures of
//! three kinds are three lines.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::fingerprint;
use super::index::Index;
use super::letter::{Letter, counted, when};
use super::ls::ShortIds;
use super::range::Read;
use super::topics;
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};
use crate::{limits, position};

/// Flags of `tidings dlq groups`.
#[derive(Debug, clap::Args)]
pub struct GroupsArgs {
    /// Topics of dead letters [default: all that look like it: *.dlq, *.DLT, *-dlt]
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
    /// Count also those that are over: done or discarded
    #[arg(long)]
    all: bool,
    /// Read copies from this time on [default: all while they are few, else the newest ones]
    #[arg(long, value_name = "TIME", value_parser = position::since)]
    since: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Failures of one kind.
pub struct Group<'a> {
    /// What they have in common.
    pub fingerprint: &'a str,
    /// How many.
    pub count: usize,
    /// When the first of them first failed.
    pub first: Option<Timestamp>,
    /// When the last of them last failed.
    pub last: Option<Timestamp>,
    /// The one that failed last.
    pub example: &'a Letter,
}

impl Group<'_> {
    /// The error's sentence without its variable parts.
    pub fn sentence(&self) -> String {
        fingerprint::normal(self.example.reason())
    }
}

/// Shows the groups.
pub fn run(args: &GroupsArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let chosen = topics::chosen(&cluster, &args.topics)?;
    let is_none = chosen.is_empty();
    let (index, read) = Index::scan(&cluster, chosen, args.since, &[], screen, |_, _| {})?;
    let letters = index.into_letters();
    let groups = together(letters.iter().filter(|letter| args.all || !letter.is_over()));
    if args.json {
        return output::json(to_json(&groups, &read));
    }
    if is_none {
        return output::line(&topics::none(&cluster));
    }
    output::print(&text(&groups, &letters, &read, &TimeZone::system(), screen))
}

/// Puts letters together; the largest group first.
pub fn together<'a>(letters: impl Iterator<Item = &'a Letter>) -> Vec<Group<'a>> {
    let mut groups: HashMap<&str, Group<'_>> = HashMap::new();
    for letter in letters {
        let group = groups.entry(&letter.fingerprint).or_insert_with(|| Group {
            fingerprint: &letter.fingerprint,
            count: 0,
            first: letter.first_failed,
            last: letter.last_failed,
            example: letter,
        });
        group.count += 1;
        group.first = [group.first, letter.first_failed].into_iter().flatten().min();
        if letter.last_failed > group.last {
            group.last = letter.last_failed;
            group.example = letter;
        }
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then(a.fingerprint.cmp(b.fingerprint)));
    groups
}

fn to_json(groups: &[Group<'_>], read: &Read) -> Value {
    let groups: Vec<_> = groups
        .iter()
        .map(|group| {
            json!({
                "fingerprint": group.fingerprint,
                "count": group.count,
                "first_failed_at": group.first.map(|time| time.to_string()),
                "last_failed_at": group.last.map(|time| time.to_string()),
                "sentence": group.sentence(),
                "handler": group.example.handler,
                "group": group.example.group,
                "type": group.example.ty,
                "error": group.example.error,
                "example": group.example.to_json(),
            })
        })
        .collect();
    json!({"read": read.to_json(), "groups": groups})
}

fn text(
    groups: &[Group<'_>],
    letters: &[Letter],
    read: &Read,
    zone: &TimeZone,
    screen: &Screen,
) -> String {
    let ids = ShortIds::of(letters);
    let all: usize = groups.iter().map(|group| group.count).sum();
    let mut text = match groups.len() {
        0 => format!("no dead letters wait in {}\n", read.topics.join(", ")),
        1 => format!("{}, all of one kind\n\n", screen.bold(&counted(all))),
        kinds => format!("{} of {kinds} kinds\n\n", screen.bold(&counted(all))),
    };
    for line in table(&groups[..groups.len().min(limits::DEAD_LETTER_LINES)], &ids, zone).lines() {
        text.push_str(&screen.fit(line));
        text.push('\n');
    }
    if let Some(left) = groups.len().checked_sub(limits::DEAD_LETTER_LINES + 1) {
        text.push_str(&format!("and {} more kinds; all of them:  --json\n", left + 1));
    }
    if let Some(group) = groups.first() {
        let name = ids.name(group.example);
        text.push_str(&format!("\none of them whole:  tidings dlq show {name}\n"));
    }
    if let Some(remark) = read.remark() {
        text.push_str(&format!("{remark}\n"));
    }
    text
}

/// The table of groups; empty for none.
pub fn table(groups: &[Group<'_>], ids: &ShortIds<'_>, zone: &TimeZone) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let columns = [
        ("count", Align::Right),
        ("first", Align::Left),
        ("last", Align::Left),
        ("handler", Align::Left),
        ("type", Align::Left),
        ("example", Align::Left),
        ("fingerprint", Align::Left),
        ("reason", Align::Left),
    ];
    let mut table = Table::new(&columns, None);
    for group in groups {
        table.row([
            output::grouped(group.count as i64),
            when(group.first, zone),
            when(group.last, zone),
            output::printable(group.example.who()),
            output::printable(group.example.short_type()),
            ids.name(group.example),
            output::printable(group.fingerprint),
            output::printable(&group.sentence()),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::{copy, letter};
    use super::*;

    fn letters() -> Vec<Letter> {
        let with = |offset: &str, message: &str, last: &str| {
            letter(&[copy(
                offset.parse().expect("a number"),
                &[
                    ("__connect.errors.offset", offset),
                    ("__connect.errors.exception.message", message),
                    ("tidings-dlq-last-failed-at", last),
                    ("ce_id", &format!("event-{offset}")),
                ],
            )])
        };
        vec![
            with("1", "no such customer: 1", "2026-03-01T10:00:31Z"),
            with("2", "no such customer: 2", "2026-03-01T10:00:33Z"),
            with("3", "card `4711` refused\x1b[2J", "2026-03-01T10:00:32Z"),
        ]
    }

    fn read() -> Read {
        Read { topics: vec!["orders.payments.dlq".to_owned()], records: 3, left_out: 0 }
    }

    #[test]
    fn failures_of_one_kind_are_one_group() {
        let letters = letters();
        let groups = together(letters.iter());
        assert_eq!(groups.iter().map(|group| group.count).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(groups[0].example.id.as_deref(), Some("event-2"), "the one that failed last");
        assert_eq!(groups[0].sentence(), "no such customer: <number>");
    }

    #[test]
    fn groups_for_people() {
        let letters = letters();
        let text =
            text(&together(letters.iter()), &letters, &read(), &TimeZone::UTC, &Screen::plain());
        insta::assert_snapshot!(text);
        let none = self::text(&[], &[], &read(), &TimeZone::UTC, &Screen::plain());
        assert_eq!(none, "no dead letters wait in orders.payments.dlq\n");
    }

    #[test]
    fn groups_for_scripts() {
        let letters = letters();
        insta::assert_json_snapshot!(to_json(&together(letters.iter()), &read()));
    }
}
