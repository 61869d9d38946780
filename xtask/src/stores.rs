//! The tests that need a PostgreSQL, on one of their own; on the embedded broker, then those that
//! ask a broker on Apache Kafka too. They are `#[ignore]`d, since
//! `cargo test` alone has none, so this has to notice when nobody asked for them.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use crate::kafka::{self, Kafka};
use crate::postgres::Postgres;
use crate::process::{End, Owned, end_requested, spawn_endable};
use crate::{Outcome, place};

/// What the tests' paths have in common.
const FILTER: &str = "postgres";
/// Where the tests find the server.
const URL: &str = "TIDINGS_TEST_POSTGRES";
/// Where they find a broker other than an embedded one.
const BOOTSTRAP: &str = "TIDINGS_TEST_BOOTSTRAP";
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// `cargo xtask stores`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let mut filter = FILTER.to_owned();
    let mut on_kafka = false;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--kafka" => on_kafka = true,
            "--only" => filter.clone_from(words.next().ok_or("--only needs a value")?),
            other => return Err(format!("`stores` does not know {other}").into()),
        }
    }
    let told = end_requested(false)?;
    let mut kafka = match on_kafka {
        true => Some(Kafka::start(&kafka::Options { heap_mb: 512, ..kafka::Options::default() })?),
        false => None,
    };
    let postgres = Postgres::start()?;
    let bootstrap = kafka.as_ref().map(Kafka::bootstrap);
    let ran = tests(&postgres.url(), bootstrap.as_deref(), &filter, &told);
    if let Some(kafka) = &mut kafka {
        kafka.stop()?;
    }
    match (ran, postgres.stop()) {
        (Ok(passed), Ok(())) => {
            let broker = if on_kafka { "Apache Kafka" } else { "the embedded broker" };
            println!("stores: {passed} passed on PostgreSQL and {broker}");
            Ok(())
        }
        (Err(failed), Err(stopped)) => Err(format!("{failed}; {stopped}").into()),
        (Err(error), Ok(())) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Runs them and says how many passed: one at least.
fn tests(
    url: &str,
    bootstrap: Option<&str>,
    filter: &str,
    told: &Receiver<&'static str>,
) -> Outcome<usize> {
    // The library's tests are those that take a broker by name; the store's have none.
    let packages: &[&str] = match bootstrap {
        Some(_) => &["--package", "tidings"],
        None => &["--workspace"],
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(place::root())
        .arg("test")
        .args(packages)
        .args(["--locked", "--", "--ignored", filter])
        .env(URL, url)
        .envs(bootstrap.map(|bootstrap| (BOOTSTRAP, bootstrap)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut cargo = spawn_endable(&mut cargo)?;
    let stdout = cargo.stdout.take().ok_or("cargo has no standard output")?;
    let mut cargo = Owned::new(cargo);
    let counter = thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.inspect(|line| println!("{line}")).filter_map(|line| passed(&line)).sum::<usize>()
    });
    match cargo.end(told)? {
        End::Told(why) => {
            cargo.stop(STOP_LIMIT)?;
            Err(format!("the tests were cut short: {why}").into())
        }
        End::Itself(status) if !status.success() => {
            Err("tests on PostgreSQL failed or did not build; their words stand above".into())
        }
        End::Itself(_) => match counter.join() {
            Ok(0) => Err(format!("no ignored test has `{filter}` in its path: none ran").into()),
            Ok(passed) => Ok(passed),
            Err(_) => Err("the tests' output could not be read".into()),
        },
    }
}

/// From the last line of one test program: `test result: ok. 3 passed; 0 failed; ...`.
fn passed(line: &str) -> Option<usize> {
    let (before, _) = line.strip_prefix("test result: ")?.split_once(" passed;")?;
    before.split_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::passed;

    #[test]
    fn a_result_is_counted_and_nothing_else() {
        let rest = "passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s";
        assert_eq!(passed(&format!("test result: ok. 12 {rest}")), Some(12));
        assert_eq!(passed(&format!("test result: \x1b[32mok\x1b(B\x1b[m. 3 {rest}")), Some(3));
        assert_eq!(passed("running 4 tests"), None);
        assert_eq!(passed("test postgres::result ... ok"), None);
    }
}
