//! What has to be true at the end: by the shop's own summary of its five databases, and by the
//! events themselves, from which it is also counted how many orders were open at each blow.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::shop::End;
use super::{Plan, Store, Struck};
use crate::Outcome;

/// A line of the report: what was counted, and what it must be.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) goal: String,
    pub(super) holds: bool,
}

impl Row {
    pub(super) fn must(
        name: &'static str,
        value: impl ToString,
        goal: impl ToString,
        holds: bool,
    ) -> Self {
        Self { name, value: value.to_string(), goal: goal.to_string(), holds }
    }

    /// Told, not judged.
    pub(super) fn told(name: &'static str, value: impl ToString) -> Self {
        Self::must(name, value, "", true)
    }

    pub(super) fn print(&self) {
        let verdict = if self.holds { "" } else { "  <- FAILED" };
        println!("  {:<44}{:<14}{}{verdict}", self.name, self.value, self.goal);
    }
}

/// Counts it all.
pub(super) fn rows(
    binary: &Path,
    bootstrap: &str,
    plan: &Plan,
    struck: &Struck,
    end: &End,
) -> Outcome<Vec<Row>> {
    let stories = Stories::read(binary, bootstrap)?;
    let open: Vec<usize> = struck.at_ms.iter().map(|at| stories.open(*at)).collect();
    let while_open = open.iter().filter(|open| **open > 0).count();
    let mut sorted = open;
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    let at_least = |goal: usize| format!("at least {goal}");
    let number = |value: &Value| value.as_u64().unwrap_or(0);

    let orders = &end.summary["orders"];
    let placed = number(&orders["placed"]);
    let finals = ["completed", "refused", "cancelled"].map(|state| number(&orders[state]));
    let finished: u64 = finals.iter().sum();
    let services = end.summary["services"].as_object().ok_or("the shop names no services")?;
    let sum = |what: &str| services.values().map(|service| number(&service[what])).sum::<u64>();
    let dead = sum("dead_lettered");
    let ends = stories.with_one_end();
    let ended_by_kill = end.killed;
    let twice = sum("duplicate_effects");
    let duplicates = match plan.store {
        Store::None => Row::told("duplicate_effects", twice),
        Store::Sqlite | Store::Postgres => Row::must("duplicate_effects", twice, 0, twice == 0),
    };
    Ok(vec![
        Row::must(
            "service kills that hit a living process",
            ended_by_kill,
            at_least(plan.kills),
            ended_by_kill >= plan.kills,
        ),
        Row::must(
            "... while orders were open",
            while_open,
            at_least(plan.kills),
            while_open >= plan.kills,
        ),
        Row::told("orders open at a kill, median", median),
        Row::told("blows that hit several services at once", struck.together),
        Row::told("services that gave up by themselves", end.gave_up),
        Row::must(
            "broker kills",
            struck.broker,
            at_least(plan.broker_kills),
            struck.broker >= plan.broker_kills,
        ),
        Row::told("longest absence of the broker", format!("{:.1?}", struck.longest_away)),
        Row::must("orders placed", placed, plan.orders(), placed == plan.orders()),
        Row::must("orders in a final state", finished, placed, finished == placed),
        Row::must("orders with one end in the events", ends, placed, ends as u64 == placed),
        Row::must("sums agree across the databases", end.success, true, end.success),
        Row::must("dead letters", dead, 0, dead == 0),
        duplicates,
        Row::told("attempts that were repeated", sum("retried")),
    ])
}

/// When each order was first announced and how it ended, as the topic `orders` tells it.
#[derive(Debug, Default)]
struct Stories(BTreeMap<String, Story>);

#[derive(Debug, Default)]
struct Story {
    placed_ms: Option<i64>,
    ended_ms: Option<i64>,
    /// `(source, id)` of its ends: copies of one event are one.
    ends: BTreeSet<(String, String)>,
}

impl Stories {
    fn read(binary: &Path, bootstrap: &str) -> Outcome<Self> {
        let output = Command::new(binary)
            .args(["event", "tail", "orders", "--until-end", "--json", "--bootstrap", bootstrap])
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("the orders cannot be read: {said}").into());
        }
        let mut stories = Self::default();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            stories.take(&serde_json::from_str(line)?)?;
        }
        Ok(stories)
    }

    fn take(&mut self, event: &Value) -> Outcome {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let at = milliseconds(&text("kafkatimestamp"))
            .ok_or_else(|| format!("an event without a time: {event}"))?;
        let story = self.0.entry(text("subject")).or_default();
        let first = |known: Option<i64>| Some(known.map_or(at, |known| known.min(at)));
        if text("type").contains(".order.placed") {
            story.placed_ms = first(story.placed_ms);
        } else {
            story.ended_ms = first(story.ended_ms);
            story.ends.insert((text("source"), text("id")));
        }
        Ok(())
    }

    /// Orders that were announced and had not ended.
    fn open(&self, at_ms: i64) -> usize {
        let is_open = |story: &&Story| {
            story.placed_ms.is_some_and(|placed| placed <= at_ms)
                && story.ended_ms.is_none_or(|ended| ended > at_ms)
        };
        self.0.values().filter(is_open).count()
    }

    fn with_one_end(&self) -> usize {
        self.0.values().filter(|story| story.placed_ms.is_some() && story.ends.len() == 1).count()
    }
}

/// Milliseconds since 1970 of `2026-01-31T10:41:07.123Z`, with or without a fraction.
fn milliseconds(time: &str) -> Option<i64> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let [hour, minute, second] = numbers(clock, ':')?;
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    // Days from the first of March of year 0, when leap days fall to the end of a year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let seconds = ((days - 719_468) * 24 + hour) * 3_600 + minute * 60 + second;
    Some(seconds * 1_000 + millis)
}

fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let parts: Option<Vec<i64>> = text.split(between).map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read() {
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-02T00:00:01.5Z", Some(86_401_500)),
            ("2000-02-29T23:59:59.999Z", Some(951_868_799_999)),
            ("2026-11-26T02:05:27.04Z", Some(1_795_658_727_040)),
            ("yesterday", None),
        ] {
            assert_eq!(milliseconds(time), expected, "{time}");
        }
    }

    #[test]
    fn copies_are_one_end_and_two_ends_are_seen() {
        let mut stories = Stories::default();
        let mut tell = |second: u32, subject: &str, ty: &str, id: &str| {
            let event = json!({
                "kafkatimestamp": format!("1970-01-01T00:00:0{second}Z"), "subject": subject,
                "type": format!("com.example.order.{ty}.v1"), "source": "/orders", "id": id,
            });
            stories.take(&event).unwrap();
        };
        for (second, ty, id) in [(1, "placed", "a"), (3, "completed", "b"), (5, "completed", "b")] {
            tell(second, "order/1", ty, id);
        }
        for (second, ty, id) in [(2, "placed", "c"), (4, "completed", "d"), (6, "refused", "e")] {
            tell(second, "order/2", ty, id);
        }
        let open: Vec<usize> = (0..6).map(|second| stories.open(second * 1_000 + 500)).collect();
        assert_eq!(open, [0, 1, 2, 1, 0, 0]);
        assert_eq!(stories.with_one_end(), 1, "order/2 has two");
    }
}
