//! The program with Debezium's engine, and the records that it prints.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::Outcome;
use crate::process::{Owned, spawn_endable, tail};

/// It ends its replication and its threads first.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A record as Kafka would get it, its bytes in hex.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Record {
    pub(super) topic: String,
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
    pub(super) headers: Vec<(String, Option<String>)>,
}

/// The running program, ended when dropped.
pub(super) struct Reader<'a> {
    java: Owned,
    /// Open while it shall run.
    stdin: ChildStdin,
    lines: Receiver<std::io::Result<String>>,
    log: PathBuf,
    told: &'a Receiver<&'static str>,
}

impl Record {
    /// The header `id`, if it is one.
    pub(super) fn id(&self) -> Option<String> {
        let (_, id) = self.headers.iter().find(|(name, _)| name == "id")?;
        let id = id.as_ref()?;
        let byte = |at: usize| u8::from_str_radix(id.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..id.len()).step_by(2).map(byte).collect();
        String::from_utf8(bytes?).ok()
    }

    /// For a person: a value may be long.
    pub(super) fn told(&self) -> String {
        let Self { topic, key, value, headers } = self;
        let short: Option<String> = value.as_ref().map(|value| value.chars().take(60).collect());
        let (length, id) = (value.as_ref().map_or(0, |value| value.len() / 2), self.id());
        format!("{topic} {key:?} {short:?} ({length} bytes) id {id:?} {headers:?}")
    }
}

impl<'a> Reader<'a> {
    pub(super) fn start(
        jars: &Path,
        classes: &Path,
        properties: &Path,
        told: &'a Receiver<&'static str>,
    ) -> Outcome<Self> {
        let log = properties.with_extension("out");
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"])
            .arg(format!("{}:{}/*", classes.display(), jars.display()))
            .arg("OutboxReader")
            .arg(properties)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log)?);
        let mut java = spawn_endable(&mut java)?;
        let stdin = java.stdin.take().ok_or("java has no standard input")?;
        let stdout = java.stdout.take().ok_or("java has no standard output")?;
        let java = Owned::new(java);
        let (tell, lines) = channel();
        thread::spawn(move || BufReader::new(stdout).lines().try_for_each(|line| tell.send(line)));
        Ok(Self { java, stdin, lines, log, told })
    }

    /// Reads until there are `count` records.
    pub(super) fn until(
        &self,
        count: usize,
        limit: Duration,
        records: &mut Vec<Record>,
    ) -> Outcome {
        self.read(limit, records, |records| records.len() >= count)
    }

    /// Reads until the record with this id.
    pub(super) fn until_id(&self, id: &str, limit: Duration, records: &mut Vec<Record>) -> Outcome {
        let is_last = |record: &Record| record.id().as_deref() == Some(id);
        self.read(limit, records, |records| records.last().is_some_and(is_last))
    }

    /// Lets it end, and reads what it says until then.
    pub(super) fn finish(mut self, records: &mut Vec<Record>) -> Outcome {
        drop(self.stdin);
        let Some(status) = self.java.wait(STOP_LIMIT)? else {
            let said = tail(&self.log, 4000);
            return Err(format!("Debezium does not end within {STOP_LIMIT:?}:\n{said}").into());
        };
        if !status.success() {
            let said = tail(&self.log, 4000);
            return Err(format!("Debezium did not end well ({status}):\n{said}").into());
        }
        for line in self.lines {
            records.push(parsed(&line?)?);
        }
        Ok(())
    }

    fn read(
        &self,
        limit: Duration,
        records: &mut Vec<Record>,
        are_all: impl Fn(&[Record]) -> bool,
    ) -> Outcome {
        let deadline = Instant::now() + limit;
        while !are_all(records) {
            if let Ok(why) = self.told.try_recv() {
                return Err(format!("cut short: {why}").into());
            }
            let wrong = match self.lines.recv_timeout(Duration::from_millis(200)) {
                Ok(line) => {
                    records.push(parsed(&line?)?);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => "ended by itself".to_owned(),
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => continue,
                Err(RecvTimeoutError::Timeout) => format!("says no more after {limit:?}"),
            };
            let (count, last) = (records.len(), records.last().map(Record::told));
            let said = tail(&self.log, 4000);
            let what = format!("Debezium {wrong}; {count} records, the last {last:?}:\n{said}");
            return Err(what.into());
        }
        Ok(())
    }
}

fn parsed(line: &str) -> Outcome<Record> {
    serde_json::from_str(line).map_err(|error| format!("no record, {error}: {line}").into())
}
