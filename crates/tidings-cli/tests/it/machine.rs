//! A machine with a broker on it, and the commands that are run there. Whatever a test started ends
//! with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before the test fails: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running `tidings broker` with a directory of its own.
pub struct Machine {
    /// For files of the test; the broker's data is in `data` below it.
    pub directory: TempDir,
    /// `HOST:PORT`.
    pub bootstrap: String,
    broker: Running,
}

/// A process that ends with the test.
pub struct Running(pub Child);

/// What a command did.
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Machine {
    /// Starts a broker with its data in a new directory.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (broker, bootstrap) = start_broker(&directory.path().join("data"));
        Self { directory, bootstrap, broker }
    }

    /// Runs a command against the broker.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// Runs a command with this text as its standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = tidings();
        command.args(arguments).env("TIDINGS_BOOTSTRAP", &self.bootstrap);
        run(command, input)
    }

    /// Runs a command that must succeed, and returns its standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}\n{}{}", ran.out, ran.err);
        ran.out
    }

    /// Runs a command that must succeed and prints JSON lines.
    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        lines(&self.ok(&[arguments, &["--json"]].concat()))
    }

    /// Publishes one event and returns what the command printed about it.
    pub fn publish(&self, topic: &str, ty: &str, more: &[&str]) -> Value {
        let arguments = [&["event", "publish", topic, "--type", ty, "--data", "{}"], more].concat();
        self.json(&arguments).remove(0)
    }

    /// Replaces what differs from run to run, for snapshots.
    pub fn plain(&self, text: &str) -> String {
        text.replace(&self.bootstrap, "HOST:PORT")
            .replace(&self.directory.path().display().to_string(), "DIR")
    }

    /// Stops the broker as SIGTERM does, and returns its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.broker.terminate();
        self.broker.wait()
    }
}

impl Machine {
    /// Starts the broker again on the same data.
    pub fn restart(&mut self) {
        (self.broker, self.bootstrap) = start_broker(&self.directory.path().join("data"));
    }
}

impl Running {
    /// Asks it to stop.
    pub fn terminate(&self) {
        let pid = i32::try_from(self.0.id()).expect("a process id");
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGTERM,
        );
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.0.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the process did not end");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The binary, without settings from the machine that the tests run on.
pub fn tidings() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("TIDINGS_")) {
            command.env_remove(name);
        }
    }
    command.env_remove("CLICOLOR_FORCE").env("RUST_LOG", "warn");
    command
}

/// Starts `tidings broker` on a free port; returns it with its address.
fn start_broker(data: &Path) -> (Running, String) {
    let mut command = tidings();
    command.args(["broker", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("the binary");
    let out = child.stdout.take().expect("piped");
    let running = Running(child);
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("a line");
    let bootstrap = line.trim().strip_prefix("listening ").expect("`listening HOST:PORT`");
    (running, bootstrap.to_owned())
}

/// Runs a command to its end.
pub fn run(mut command: Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    // The command may end without reading it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    Ran::of(&output)
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Reads JSON lines.
pub fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Asks again until the answer is there.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("in vain: {what}");
}

/// All that a stream has to say until it ends.
pub fn rest(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("text");
    text
}
