//! `cargo xtask debezium`: Debezium's outbox router on our outbox, as docs/guides says it is used.
//!
//! Both are as they are: the table by the store's own script, the rows by its own statement,
//! Debezium from Maven Central, its properties read from the guide's page. Were they written here
//! too, the page could say something else one day.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use crate::kafka::need;
use crate::postgres::Postgres;
use crate::process::end_requested;
use crate::{Outcome, clients, maven, place, tidings};

mod reader;
mod rows;

use reader::{Reader, Record};
use rows::{Fate, Row, Script};

const VERSION: &str = "3.6.1";
const TABLES: &str = include_str!("../../crates/tidings-store/src/sql/postgres/0001_outbox.sql");
const GUIDE: &str = include_str!("../../docs/guides/outbox-with-debezium.md");

/// From a start to the records that are waited for: a JVM, the connector, its look at the table.
/// Some seconds when idle.
const LIMIT: Duration = Duration::from_secs(120);

/// Those who publish the same keys at the same time.
const WRITERS: u32 = 4;
/// Of each of them.
const TRANSACTIONS: usize = 30;

/// `cargo xtask debezium`.
pub(crate) fn command(words: &[String]) -> Outcome {
    if let Some(word) = words.first() {
        return Err(format!("`debezium` does not know {word}").into());
    }
    let told = end_requested(false)?;
    let directory = tidings::fresh_dir("debezium")?;
    let bench = Bench::lay(directory, told)?;
    let outcome = bench.run();
    match (outcome, bench.postgres.stop()) {
        (Err(failed), Err(stopped)) => Err(format!("{failed}; {stopped}").into()),
        (outcome, stopped) => outcome.and(stopped),
    }
}

/// What both runs have.
struct Bench {
    jars: PathBuf,
    classes: PathBuf,
    postgres: Postgres,
    /// Properties and logs.
    directory: PathBuf,
    told: Receiver<&'static str>,
}

/// The router with one set of settings.
struct Run {
    number: u32,
    properties: String,
    /// What a topic's name has in front.
    prefix: &'static str,
}

impl Bench {
    fn lay(directory: PathBuf, told: Receiver<&'static str>) -> Outcome<Self> {
        let tools =
            [("javac", "-version", "openjdk-17-jdk-headless"), ("mvn", "-version", "maven")];
        for (tool, probe, package) in tools {
            if need(tool, probe, package).is_err() {
                clients::apt_install(package)?;
            }
            need(tool, probe, package)?;
        }
        let what = format!("Debezium {VERSION} (about 38 MB)");
        let jars =
            maven::jars("xtask/debezium/pom.xml", &format!("debezium-jars/lib-{VERSION}"), &what)?;
        let classes = compile(&jars, &directory.join("classes"))?;
        let postgres = Postgres::start()?;
        postgres.psql(TABLES)?;
        postgres.psql(block("sql", 0)?)?;
        Ok(Self { jars, classes, postgres, directory, told })
    }

    fn run(&self) -> Outcome {
        let page = block("properties", 0)?;
        let own_names = block("properties", 1)?;
        let runs = [
            Run { number: 1, properties: page.to_owned(), prefix: "outbox.event." },
            Run { number: 2, properties: format!("{page}{own_names}"), prefix: "" },
        ];
        for run in &runs {
            let began = Instant::now();
            let (records, deleted) = self.one(run)?;
            println!(
                "  ok    topics `{}<topic>`: {records} rows came once each, {deleted} of them \
                 deleted, in {:.1} s",
                run.prefix,
                began.elapsed().as_secs_f32()
            );
        }
        println!("debezium: {VERSION} reads the outbox as the guide says");
        Ok(())
    }

    /// How many records came, and how many of their rows were deleted.
    fn one(&self, run: &Run) -> Outcome<(usize, usize)> {
        let mut rows = self.waiting(run)?;
        let mut records = Vec::new();
        let properties = self.written(run)?;
        let start = || Reader::start(&self.jars, &self.classes, &properties, &self.told);

        let reader = start()?;
        // Only when these are there does it follow the log: what comes and goes before is unseen.
        reader.until(rows.len(), LIMIT, &mut records)?;
        rows.extend(self.live(run)?);
        self.end(reader, run.writer(96), &mut rows, &mut records)?;

        // While it is away, its slot keeps what it has to read, also of rows that are gone.
        rows.extend(rows::of_a_writer(run.writer(97), TRANSACTIONS).run(&self.postgres)?);
        self.end(start()?, run.writer(98), &mut rows, &mut records)?;

        rows::compare(&rows, &records, run.prefix)?;
        Ok((records.len(), rows.iter().filter(|row| row.fate == Fate::Deleted).count()))
    }

    /// Lets it read all that there is. The log is in the order of commits, so when this one last
    /// row has come, nothing of the others and of their deletes is on its way any more.
    fn end(
        &self,
        reader: Reader<'_>,
        writer: u32,
        rows: &mut Vec<Row>,
        records: &mut Vec<Record>,
    ) -> Outcome {
        let mut script = Script::new(writer);
        script.insert(Row::new("orders", Some("last"), Some(b"{}")));
        let last = script.run(&self.postgres)?;
        rows.extend_from_slice(&last);
        reader.until_id(&last[0].id, LIMIT, records)?;
        reader.finish(records)
    }

    /// The file of properties: the page's, and over them what only this run knows.
    fn written(&self, run: &Run) -> Outcome<PathBuf> {
        let path = self.directory.join(format!("run-{}.properties", run.number));
        let addr = self.postgres.addr();
        let own = format!(
            "\ndatabase.hostname = {}\ndatabase.port = {}\ndatabase.dbname = postgres\n\
             slot.name = run_{}\n\
             offset.storage.file.filename = {}\n",
            addr.ip(),
            addr.port(),
            run.number,
            path.with_extension("offsets").display()
        );
        fs::write(&path, format!("{}{own}", run.properties))?;
        Ok(path)
    }

    /// Rows from before the connector's first start. On disk they lie in another order than that
    /// of their positions: the second one where a deleted one was.
    fn waiting(&self, run: &Run) -> Outcome<Vec<Row>> {
        self.postgres.psql("DELETE FROM tidings_outbox;\nVACUUM tidings_outbox;\n")?;
        let mut script = Script::new(run.writer(99));
        let gone = script.insert(Row::new("orders", Some("waits"), Some(b"gone")));
        script.insert(Row::new("orders", Some("waits"), Some(b"first")));
        script.delete(gone);
        script.say("VACUUM tidings_outbox;");
        script.insert(Row::new("orders", Some("waits"), Some(b"second")));
        let mut rows = script.run(&self.postgres)?;
        rows.remove(gone);
        let lying = self.postgres.psql("SELECT position FROM tidings_outbox ORDER BY ctid;")?;
        let lying: Vec<i64> = lying.lines().map(str::parse).collect::<Result<_, _>>()?;
        if lying.is_sorted() || lying.len() != rows.len() {
            return Err(format!("the rows that wait lie as {lying:?}: that shows nothing").into());
        }
        Ok(rows)
    }

    /// Rows that Debezium meets in the log: of every kind, then from several at once.
    fn live(&self, run: &Run) -> Outcome<Vec<Row>> {
        let mut rows = rows::of_every_kind(run.writer(0)).run(&self.postgres)?;
        let postgres = &self.postgres;
        let written: Vec<Outcome<Vec<Row>>> = thread::scope(|scope| {
            let one = |writer| {
                let script = rows::of_a_writer(run.writer(writer), TRANSACTIONS);
                scope.spawn(move || script.run(postgres))
            };
            let writers: Vec<_> = (1..=WRITERS).map(one).collect();
            let panicked = |_| Err("a writer panicked".into());
            writers.into_iter().map(|writer| writer.join().unwrap_or_else(panicked)).collect()
        });
        for written in written {
            rows.extend(written?);
        }
        Ok(rows)
    }
}

impl Run {
    /// A number that is nobody else's in either run: ids begin with it.
    fn writer(&self, number: u32) -> u32 {
        self.number * 100 + number
    }
}

/// The text of the guide's block number `at` in this language.
fn block(language: &str, at: usize) -> Outcome<&'static str> {
    let fence = format!("```{language}\n");
    let found = GUIDE.split(fence.as_str()).nth(at + 1).and_then(|rest| rest.split("```").next());
    found.ok_or_else(|| format!("the guide has too few blocks of {language}").into())
}

fn compile(jars: &Path, classes: &Path) -> Outcome<PathBuf> {
    let compiled = Command::new("javac")
        .args(["-Xlint:all,-path", "-Werror", "-proc:none", "-d"])
        .arg(classes)
        .arg("-cp")
        .arg(format!("{}/*", jars.display()))
        .arg(place::root().join("clients/java/debezium/OutboxReader.java"))
        .status()?;
    if compiled.success() {
        Ok(classes.to_path_buf())
    } else {
        Err("the program with Debezium's engine does not compile".into())
    }
}
