//! A part of a test in a process of its own, to be killed and stopped: this program started again,
//! for one test that does the part when its environment says so. Started without it, as every test
//! is, such a test has nothing to do.

use std::process::{Child, Command, Stdio};

use tidings::Store;

use crate::broker::Broker;
use crate::ground::Ground;

const BOOTSTRAP: &str = "TIDINGS_TEST_PROCESS_BOOTSTRAP";
const PLACE: &str = "TIDINGS_TEST_PROCESS_STORE";

/// Where the part of a test that runs in this process finds broker and store; none if this process
/// was not started for a part.
pub async fn part() -> Option<(String, Store)> {
    let bootstrap = std::env::var(BOOTSTRAP).ok()?;
    let place = std::env::var(PLACE).unwrap();
    let store = match place.contains("://") {
        true => Store::postgres(&place).await.unwrap(),
        false => Store::sqlite(&place).await.unwrap(),
    };
    Some((bootstrap, store))
}

/// Killed when it is dropped.
pub struct Process(Child);

impl Process {
    /// Runs the test of this path.
    pub fn start(part: &str, broker: &Broker, ground: &Ground) -> Process {
        Process::start_with(part, broker, ground, &[])
    }

    /// With more in its environment.
    pub fn start_with(
        part: &str,
        broker: &Broker,
        ground: &Ground,
        env: &[(&str, String)],
    ) -> Process {
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", part])
            .env(BOOTSTRAP, broker.bootstrap())
            .env(PLACE, &ground.place)
            .envs(env.iter().cloned())
            .stdout(Stdio::null())
            .spawn();
        Process(process.unwrap())
    }

    /// By itself.
    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    pub fn signal(&self, name: &str) {
        // The shell's own `kill`: a bare machine has no other.
        let kill = format!("kill -{name} {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
