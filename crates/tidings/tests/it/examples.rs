//! The numbered examples say what they should: each runs as a program of its own against a fresh
//! broker, and prints what stands beside it in `<name>.out`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::broker::Broker;

/// How long an example may take, on a machine that does other things as well.
const DEADLINE: Duration = Duration::from_secs(60);

macro_rules! examples {
    ($($test:ident: $name:literal),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let expected = include_str!(concat!("../../examples/", $name, ".out"));
                prints_what_it_should($name, expected).await;
            }
        )+

        /// An example that is added must be run.
        #[test]
        fn all_numbered_examples_are_run() {
            let mut found: Vec<String> = numbered_examples();
            found.sort();
            assert_eq!(found, [$($name),+]);
        }
    };
}

examples! {
    publish: "01_publish",
    consume: "02_consume",
    service_with_state: "03_service_with_state",
    retries_and_dead_letters: "04_retries_and_dead_letters",
    events_of_others: "05_events_of_others",
    testing: "06_testing",
    outbox: "07_outbox",
}

async fn prints_what_it_should(name: &str, expected: &str) {
    let broker = Broker::start().await;
    let child = Command::new(program(name))
        .env("TIDINGS_BOOTSTRAP", broker.bootstrap())
        .env("TIDINGS_CREATE_TOPICS", "true")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    let ends = tokio::task::spawn_blocking(move || child.wait_with_output());
    let Ok(ended) = tokio::time::timeout(DEADLINE, ends).await else {
        let _ = Command::new("sh").args(["-c", &format!("kill {id}")]).status();
        panic!("{name} did not end within {DEADLINE:?}");
    };
    let output = ended.unwrap().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(printed, expected, "{name} complains: {complained}");
    assert!(output.status.success(), "{name}: {}: {complained}", output.status);
    broker.stop().await;
}

/// Cargo builds the examples before it runs a package's tests, beside the tests' own directory.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).expect("a test lies in target/<profile>/deps");
    let program = target.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is not built: run `cargo test -p tidings`, or build it by `cargo build --examples`",
        program.display()
    );
    program
}

fn numbered_examples() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()))
        .collect()
}
