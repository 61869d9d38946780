//! Instances in processes of their own, which get real signals: killed with -9 and started again,
//! and asked to end.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings::config::Settings;
use tidings::prelude::*;

use super::rig::{Placed, committed, placed, until};
use crate::broker::Broker;

const KEYS: u32 = 16;

/// What an instance's process is told, by environment.
const BOOTSTRAP: &str = "TIDINGS_TEST_INSTANCE_BOOTSTRAP";
const NAME: &str = "TIDINGS_TEST_INSTANCE_NAME";
const NOTES: &str = "TIDINGS_TEST_INSTANCE_NOTES";

/// The process of an instance: this program started again with the environment set. Started without
/// it, as every test is, it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn instance_in_a_process_of_its_own() {
    let Ok(bootstrap) = std::env::var(BOOTSTRAP) else { return };
    let notes = PathBuf::from(std::env::var(NOTES).unwrap());
    let notes = OpenOptions::new().append(true).create(true).open(notes).unwrap();
    let service = Service::new("payments")
        .instance(std::env::var(NAME).unwrap())
        .state(Arc::new(notes))
        .on("charge", charge)
        .settings(Settings::new(&bootstrap).unwrap());
    service.run().await.unwrap();
}

/// One write per event, which a kill leaves whole or not begun. The key "hang" never ends.
async fn charge(order: Placed, State(notes): State<Arc<File>>) -> Result<(), Fail> {
    let line = format!("{} {}\n", order.key, order.n);
    (&*notes).write_all(line.as_bytes())?;
    if order.key == "hang" {
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// An instance, and what it notes; killed when it is dropped.
struct Instance {
    process: Child,
    notes: PathBuf,
}

impl Instance {
    fn start(broker: &Broker, name: &str, notes: &Path) -> Instance {
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "services::killed_process::instance_in_a_process_of_its_own"])
            .env(BOOTSTRAP, broker.bootstrap())
            .env(NAME, name)
            .env(NOTES, notes)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Instance { process, notes: notes.to_owned() }
    }

    /// What this process has handled, in order.
    fn handled(&self) -> Vec<(String, u32)> {
        let text = std::fs::read_to_string(&self.notes).unwrap_or_default();
        let whole = text.lines().filter_map(|line| line.split_once(' '));
        whole.map(|(key, n)| (key.to_owned(), n.parse().unwrap())).collect()
    }

    /// What a supervisor sends to end it.
    fn terminate(&self) {
        // The shell's own `kill`: a bare machine has no other.
        let kill = format!("kill -TERM {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Its exit code, once it has ended by itself.
    fn ended(&mut self) -> Option<i32> {
        self.process.try_wait().unwrap().map(|status| status.code().expect("no signal ended it"))
    }

    /// What `kill -9` does.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two share the work; one dies by kill -9 and comes back under its name. It handles again long
/// before the session of 45 s would have timed out, nothing is lost, and each process saw each
/// key's events in order.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_with_9_resumes_under_its_name_and_nothing_is_lost() {
    let broker = Broker::start().await;
    broker.admin().unwrap().create("orders", 8, &[]).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let start = |name, notes: &str| Instance::start(&broker, name, &dir.path().join(notes));
    let mut first = start("payments-0", "first");
    let second = start("payments-1", "second");
    let publisher = broker.publisher().await;
    let mut sent = 0;
    let mut publish = async |count: u32| {
        for n in sent..sent + count {
            drop(publisher.enqueue(placed(&format!("k{}", n % KEYS), n)).await.unwrap());
        }
        publisher.flush().await;
        sent += count;
        sent
    };
    let deadline = Instant::now() + super::rig::PATIENCE;
    while first.handled().is_empty() || second.handled().is_empty() {
        assert!(Instant::now() < deadline, "the work is not shared");
        publish(KEYS).await;
    }
    publish(2_000).await;
    first.kill();
    let again = start("payments-0", "again");
    let started = Instant::now();
    let all = publish(2_000).await;
    until("the killed one's return", || !again.handled().is_empty()).await;
    let resumed = started.elapsed();
    println!("handled again {} ms after its start", resumed.as_millis());

    let processes = [&first, &second, &again];
    let seen = || processes.iter().flat_map(|process| process.handled());
    let complete = || seen().map(|(_, n)| n).collect::<BTreeSet<_>>().len() == all as usize;
    until("every event", complete).await;
    for process in processes {
        for key in 0..KEYS {
            let key = format!("k{key}");
            let of_key = process.handled().into_iter().filter(|(k, _)| *k == key);
            let numbers: Vec<u32> = of_key.map(|(_, n)| n).collect();
            assert!(numbers.is_sorted(), "{key} out of order: {numbers:?}");
        }
    }
}

/// SIGTERM lets what runs end, commits and leaves, and the program ends well.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_and_commits() {
    let broker = Broker::start().await;
    broker.admin().unwrap().create("orders", 2, &[]).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut instance = Instance::start(&broker, "payments-0", &dir.path().join("notes"));
    let publisher = broker.publisher().await;
    for n in 0..100 {
        publisher.publish(placed(&format!("k{}", n % KEYS), n)).await.unwrap();
    }
    until("every event", || instance.handled().len() == 100).await;
    instance.terminate();
    until("its end", || instance.ended() == Some(0)).await;
    let committed: i64 = committed(&broker, "payments", "orders").values().map(|c| c.0).sum();
    assert_eq!(committed, 100);
}

/// A handler hangs, and whoever asked does not want to wait for it: a second signal ends at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_ends_at_once() {
    let broker = Broker::start().await;
    broker.admin().unwrap().create("orders", 1, &[]).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut instance = Instance::start(&broker, "payments-0", &dir.path().join("notes"));
    broker.publisher().await.publish(placed("hang", 0)).await.unwrap();
    until("the handler", || !instance.handled().is_empty()).await;
    let asked = Instant::now();
    // Signals that come together count as one, so it is asked until it has noticed twice.
    let ended = || {
        let code = instance.ended();
        if code.is_none() {
            instance.terminate();
        }
        code.is_some_and(|code| code == 130)
    };
    until("its end", ended).await;
    assert!(asked.elapsed() < Duration::from_secs(20), "it waited for the handler");
}
