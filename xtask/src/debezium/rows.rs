//! The rows that are inserted, and the comparison of what arrives with them.

use std::collections::{BTreeMap, HashMap};

use super::Record;
use crate::Outcome;
use crate::postgres::Postgres;

/// The store's own statement.
const INSERT: &str =
    include_str!("../../../crates/tidings-store/src/sql/postgres/outbox_insert.sql");

/// How many differences are told.
const TOLD: usize = 10;

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    topic: &'static str,
    key: Option<String>,
    payload: Option<Vec<u8>>,
    /// Known once it is inserted.
    position: i64,
    pub(super) fate: Fate,
}

/// What becomes of a row once it is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    Deleted,
    /// With its transaction: it never was.
    RolledBack,
}

/// What one session does.
pub(super) struct Script {
    writer: u32,
    text: String,
    rows: Vec<Row>,
}

impl Row {
    pub(super) fn new(topic: &'static str, key: Option<&str>, payload: Option<&[u8]>) -> Self {
        let (key, payload) = (key.map(str::to_owned), payload.map(<[u8]>::to_vec));
        Self { id: String::new(), topic, key, payload, position: 0, fate: Fate::Stays }
    }

    /// What has to become of it.
    fn record(&self, prefix: &str) -> Record {
        Record {
            topic: format!("{prefix}{}", self.topic),
            key: self.key.as_ref().map(|key| hex(key.as_bytes())),
            value: self.payload.as_deref().map(hex),
            headers: vec![("id".to_owned(), Some(hex(self.id.as_bytes())))],
        }
    }

    fn told(&self) -> String {
        format!("the row {} at {}", self.id, self.position)
    }

    /// Its parameters in the order of the statement.
    fn parameters(&self) -> String {
        let text = |text: &String| format!("'{}'", text.replace('\'', "''"));
        let bytes = |bytes: &[u8]| format!("'\\x{}'", hex(bytes));
        let null = || "NULL".to_owned();
        format!(
            "'{}', '{}', {}, 'com.example.order.placed.v1', {}, {}, '[]', 0",
            self.id,
            self.topic,
            self.key.as_ref().map_or_else(null, text),
            self.payload.as_deref().map_or_else(null, bytes),
            self.key.as_deref().map(str::as_bytes).map_or_else(null, bytes),
        )
    }
}

impl Script {
    pub(super) fn new(writer: u32) -> Self {
        let types = "text, text, text, text, bytea, bytea, text, bigint";
        Self { writer, text: format!("PREPARE ins ({types}) AS\n{INSERT};\n"), rows: Vec::new() }
    }

    /// Its number, for [`delete`](Self::delete).
    pub(super) fn insert(&mut self, mut row: Row) -> usize {
        let number = self.rows.len();
        row.id = format!("{:08x}-0000-4000-8000-{number:012x}", self.writer);
        self.say(&format!("EXECUTE ins({});", row.parameters()));
        self.rows.push(row);
        number
    }

    pub(super) fn delete(&mut self, number: usize) {
        self.rows[number].fate = Fate::Deleted;
        let id = &self.rows[number].id;
        let text = format!("DELETE FROM tidings_outbox WHERE id = '{id}';");
        self.say(&text);
    }

    pub(super) fn say(&mut self, statement: &str) {
        self.text += statement;
        self.text.push('\n');
    }

    /// Inserts a row in a transaction that does not come to its end.
    fn roll_back(&mut self, row: Row) {
        self.say("BEGIN;");
        let number = self.insert(row);
        self.say("ROLLBACK;");
        self.rows[number].fate = Fate::RolledBack;
    }

    /// Its rows with their positions, which the statement returns one by one.
    pub(super) fn run(mut self, postgres: &Postgres) -> Outcome<Vec<Row>> {
        let said = postgres.psql(&self.text)?;
        let positions: Vec<i64> = said.lines().map(str::parse).collect::<Result<_, _>>()?;
        if positions.len() != self.rows.len() {
            let (got, wanted) = (positions.len(), self.rows.len());
            return Err(format!("the store's statement returned {got} of {wanted} rows").into());
        }
        for (row, position) in self.rows.iter_mut().zip(positions) {
            row.position = position;
        }
        self.rows.retain(|row| row.fate != Fate::RolledBack);
        Ok(self.rows)
    }
}

/// One of every kind: keys and payloads of all sorts, and the ways in which rows go.
pub(super) fn of_every_kind(writer: u32) -> Script {
    let mut script = Script::new(writer);
    let all_bytes: Vec<u8> = (0..=255).collect();
    let long = vec![0xa5; 100_000];
    let payloads: [&[u8]; 6] = [br#"{"order_id":1}"#, &all_bytes, b"", b" ", b"[1", &long];
    for payload in payloads {
        script.insert(Row::new("orders", Some("a"), Some(payload)));
    }
    for key in ["", "grüß' dich \u{1f680}", "{\"a\":1}", "NULL"] {
        script.insert(Row::new("orders", Some(key), Some(b"{}")));
    }
    script.insert(Row::new("orders", None, Some(b"without a key")));
    script.insert(Row::new("orders", Some("a"), None));
    script.insert(Row::new("orders", None, None));
    script.insert(Row::new("payments.in-eu_1", Some("a"), Some(b"another topic")));

    script.say("BEGIN;");
    let at_once = script.insert(Row::new("orders", Some("a"), Some(b"deleted at once")));
    script.delete(at_once);
    script.say("COMMIT;");
    let later = script.insert(Row::new("orders", Some("a"), Some(b"deleted later")));
    script.insert(Row::new("orders", Some("a"), Some(b"stays")));
    script.delete(later);
    script.roll_back(Row::new("orders", Some("a"), Some(b"rolled back")));
    script
}

/// Transactions of two keys each, from a few that all writers share, which stay open for a moment:
/// positions are taken long before commits. Keys are taken in one order, or they would deadlock.
pub(super) fn of_a_writer(writer: u32, transactions: usize) -> Script {
    let mut script = Script::new(writer);
    let keys = ["k0", "k1", "k2", "k3"];
    for n in 0..transactions {
        let payload = format!("{writer} {n}");
        script.say("BEGIN;");
        let first = n % (keys.len() - 1);
        script.insert(Row::new("orders", Some(keys[first]), Some(payload.as_bytes())));
        let second = Row::new("orders", Some(keys[first + 1]), Some(payload.as_bytes()));
        let second = script.insert(second);
        script.say("DO $$ BEGIN PERFORM pg_sleep(random() * 0.004); END $$;");
        script.say("COMMIT;");
        if n % 3 == 0 {
            script.delete(second);
        }
    }
    script
}

/// Every row once and as it was inserted, nothing else, and each key's in the order of positions.
pub(super) fn compare(rows: &[Row], records: &[Record], prefix: &str) -> Outcome {
    let wrong = differences(rows, records, prefix);
    if wrong.is_empty() {
        return Ok(());
    }
    let (told, count) = (wrong.iter().take(TOLD), wrong.len());
    let lines: Vec<&str> = told.map(String::as_str).collect();
    Err(format!(
        "what Debezium made of the outbox differs {count} times:\n  {}",
        lines.join("\n  ")
    )
    .into())
}

fn differences(rows: &[Row], records: &[Record], prefix: &str) -> Vec<String> {
    let by_id: HashMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::<String, usize>::new();
    let mut reached = HashMap::<(&str, &str), &Row>::new();
    for record in records {
        let id = record.id().unwrap_or_default();
        let Some(row) = by_id.get(id.as_str()) else {
            wrong.push(format!("nobody inserted {}", record.told()));
            continue;
        };
        let wanted = row.record(prefix);
        if *record != wanted {
            wrong.push(format!("{} is not {}", record.told(), wanted.told()));
        }
        // A second copy is told as one, not as a step back.
        let copies = seen.entry(id).or_default();
        *copies += 1;
        if let (Some(key), 1) = (&row.key, *copies)
            && let Some(before) = reached.insert((row.topic, key), row)
            && before.position > row.position
        {
            wrong.push(format!("{} before {}, of key `{key}`", before.told(), row.told()));
        }
    }
    for row in rows {
        match seen.get(&row.id) {
            Some(1) => {}
            None => wrong.push(format!("{} did not arrive", row.told())),
            Some(copies) => wrong.push(format!("{} arrived {copies} times", row.told())),
        }
    }
    wrong
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let mut rows = Vec::new();
        for (position, key) in (1..).zip([Some("a"), Some("a"), Some("b"), None]) {
            let mut row = Row::new("t", key, Some(b"x"));
            (row.id, row.position) = (format!("id-{position}"), position);
            rows.push(row);
        }
        rows
    }

    fn after(change: impl FnOnce(&mut Vec<Record>)) -> Vec<String> {
        let rows = rows();
        let mut records: Vec<Record> = rows.iter().map(|row| row.record("in.")).collect();
        change(&mut records);
        differences(&rows, &records, "in.")
    }

    #[test]
    fn nothing_is_wrong_with_what_was_inserted_in_any_order_of_keys() {
        assert_eq!(after(|_| {}), [""; 0]);
        assert_eq!(after(|records| records.swap(1, 2)), [""; 0]);
        assert_eq!(after(|records| records.swap(2, 3)), [""; 0]);
    }

    #[test]
    fn every_fault_is_one_difference() {
        type Fault = fn(&mut Vec<Record>);
        let faults: [(&str, Fault); 8] = [
            ("is not", |records| records[0].topic = "t".to_owned()),
            ("is not", |records| records[0].key = None),
            ("is not", |records| records[3].key = Some(String::new())),
            ("is not", |records| records[0].value = None),
            ("is not", |records| records[0].headers.push(("more".to_owned(), None))),
            ("did not arrive", |records| drop(records.remove(0))),
            ("arrived 2 times", |records| records.push(records[0].clone())),
            ("the row id-2 at 2 before the row id-1 at 1", |records| records.swap(0, 1)),
        ];
        for (what, fault) in faults {
            let wrong = after(fault);
            assert!(wrong.len() == 1 && wrong[0].contains(what), "{what}: {wrong:?}");
        }
        // An id of nobody's: one that is there, and one that is missing.
        assert_eq!(after(|records| records[0].headers[0].1 = Some("00".to_owned())).len(), 2);
        assert_eq!(after(|records| records[0].headers.clear()).len(), 2);
    }
}
