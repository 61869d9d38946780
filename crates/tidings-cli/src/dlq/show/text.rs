//! A dead letter for people: what happened first, then what there is to know, then what to do.

use jiff::tz::TimeZone;
use tidings::cloudevents::{CloudEvent, Record};
use tidings::dead_letter::{self, DeadLetter, LetterState};

use super::super::letter::{Letter, when};
use super::Whole;
use crate::output::table::{Align, Table};
use crate::output::{self, Screen};
use crate::record::Seen;
use crate::{data, limits};

/// One dead letter, whole.
pub fn whole(whole: &Whole, zone: &TimeZone, screen: &Screen) -> String {
    let record = &whole.newest;
    let letter = &whole.letter;
    let mut text = format!(
        "{}  {}\n  {}\n\n",
        screen.bold(&output::printable(letter.id.as_deref().unwrap_or("no event"))),
        record.address(),
        screen.red(&headline(letter)),
    );
    text.push_str(&fields(failure(whole, zone), screen));
    text.push_str(&history(whole, zone, screen));
    let headers = dead_letter::strip(&record.headers);
    let record = Record { headers, ..record.clone() };
    let event = CloudEvent::from_record(&record);
    let seen = Seen { record, event };
    text.push_str(&format!("\n{}\n", screen.bold("the event")));
    text.push_str(&fields(attributes(&seen), screen));
    text.push_str(&format!("\n{}\n", data::text(&seen)));
    text.push_str(&format!("\n{}\n", screen.bold("next")));
    for line in next(letter) {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

fn headline(letter: &Letter) -> String {
    let attempts = match letter.attempts {
        Some(n) => format!(" after {}", output::counted(i64::from(n), "attempt")),
        None => String::new(),
    };
    let word = letter.state.map_or("dead letter", LetterState::as_str);
    format!("{word}{attempts}: \"{}\"", output::printable(letter.reason()))
}

fn failure(whole: &Whole, zone: &TimeZone) -> Vec<(String, String)> {
    let letter = &whole.letter;
    let read = DeadLetter::read(&whole.newest).unwrap_or_default();
    let mut lines = Vec::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push((name.to_owned(), value));
        }
    };
    let origin = letter.origin.as_ref().map(ToString::to_string);
    line("came from", Some(origin.unwrap_or_else(|| letter.origin_topic.clone())));
    line("group", letter.group.clone());
    line("handler", letter.handler.clone());
    line("member", read.member);
    line("while", read.stage);
    line("error", letter.error.clone());
    line("attempts", letter.attempts.map(|n| n.to_string()));
    line("first failed", letter.first_failed.map(|time| when(Some(time), zone)));
    line("last failed", letter.last_failed.map(|time| when(Some(time), zone)));
    let helps = |yes| if yes { "yes" } else { "no, its handler said so" };
    line("a retry may help", letter.retryable.map(|yes| helps(yes).to_owned()));
    line("republished", (letter.redrives > 0).then(|| times(letter.redrives)));
    line("fingerprint", Some(letter.fingerprint.clone()));
    let stack = read.stacktrace.unwrap_or_default();
    for (at, text) in stack.lines().take(limits::STACK_LINES).enumerate() {
        line(if at == 0 { "causes" } else { "" }, Some(text.to_owned()));
    }
    let left = stack.lines().count().saturating_sub(limits::STACK_LINES);
    line("", (left > 0).then(|| format!("({left} more lines:  --json)")));
    lines
}

fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}

fn attributes(seen: &Seen) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: &str| lines.push((name.to_owned(), value.to_owned()));
    match &seen.event {
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
            event.extensions.iter().for_each(|(name, value)| line(name, value));
        }
        Err(reason) => line("no event", &reason.to_string()),
    }
    if let Some(key) = &seen.record.key {
        line("key", &String::from_utf8_lossy(key));
    }
    let headers = seen.event.as_ref().map_or(&seen.record.headers, |event| &event.headers);
    for (name, value) in headers {
        let value = value.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        line(&format!("header {name}"), &value);
    }
    lines
}

fn fields(lines: Vec<(String, String)>, screen: &Screen) -> String {
    let line = |(name, value): (String, String)| {
        let name = output::printable(&name);
        format!("  {}  {}\n", screen.dim(&format!("{name:<16}")), output::printable(&value))
    };
    lines.into_iter().map(line).collect()
}

/// The copies, when there are several; the newest ones, when there are many.
fn history(whole: &Whole, zone: &TimeZone, screen: &Screen) -> String {
    if whole.letter.copies < 2 {
        return String::new();
    }
    let columns =
        ["copy", "written", "state", "attempts", "reason"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns, None);
    for copy in &whole.copies {
        table.row([
            copy.address.to_string(),
            when(copy.written, zone),
            copy.state.map_or("waits", LetterState::as_str).to_owned(),
            copy.attempts.map_or("-".to_owned(), |n| n.to_string()),
            output::printable(&copy.reason),
        ]);
    }
    let older = (whole.letter.copies as usize).saturating_sub(whole.copies.len());
    let left_out = match older {
        0 => String::new(),
        n => format!(", the newest {} of {}", whole.copies.len(), n + whole.copies.len()),
    };
    let lines: String =
        table.render().lines().map(|line| format!("{}\n", screen.fit(line))).collect();
    format!("\n{}{left_out}\n{lines}", screen.bold("its copies"))
}

/// What a person can do, as lines of commands and sentences.
fn next(letter: &Letter) -> Vec<String> {
    let address = &letter.newest.address;
    let mut lines = match letter.state {
        Some(LetterState::Done) => vec!["nothing: it is done".to_owned()],
        Some(LetterState::Discarded) => vec!["nothing: a person has given it up".to_owned()],
        Some(LetterState::Retrying) => vec![
            "nothing: its handler tries it again by itself; later events of its key wait"
                .to_owned(),
        ],
        Some(LetterState::Edited) => {
            vec!["nothing: a person has changed it, and its handler tries it again".to_owned()]
        }
        Some(_) => vec![
            "it waits for a person, and later events of its key wait behind it: mend the cause,"
                .to_owned(),
            format!("then let its own handler take it again:  tidings dlq redrive {address}"),
            format!("or give it up:  tidings dlq discard {address}"),
        ],
        None if !letter.has_data => {
            vec!["it has no data here: publish its event again from where it came from".to_owned()]
        }
        None => {
            let to = output::printable(&letter.origin_topic);
            vec![
                "mend the cause, then publish it again, behind what its key has had meanwhile:"
                    .to_owned(),
                format!("  tidings dlq republish {address} --to {to} --dry-run"),
            ]
        }
    };
    lines.push("see how many failed alike:  tidings dlq groups".to_owned());
    if let Some(id) = &letter.id {
        lines.push(format!("all that it caused:  tidings flow {}", output::printable(id)));
    }
    lines
}
