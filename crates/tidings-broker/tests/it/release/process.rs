//! The binary as a process: started, perhaps under strace, looked at from outside, killed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What `cargo xtask` built.
pub fn binary() -> PathBuf {
    let named = std::env::var_os("TIDINGS_TEST_BINARY");
    named.expect("TIDINGS_TEST_BINARY names the binary: use `cargo xtask disk|hostile`").into()
}

/// A running broker; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pub addr: SocketAddr,
    log: PathBuf,
}

impl Process {
    /// Starts it and waits for its address.
    pub fn start(dir: &Path, flags: &[&str]) -> Process {
        Process::start_under(&[], dir, flags).expect("the broker starts")
    }

    /// The same below another program, such as strace. The error is what the broker wrote.
    pub fn start_under(wrapper: &[&str], dir: &Path, flags: &[&str]) -> Result<Process, String> {
        let log = dir.join(format!("broker-{}.log", std::process::id()));
        let binary = binary();
        let mut words: Vec<&std::ffi::OsStr> = wrapper.iter().map(|word| word.as_ref()).collect();
        words.push(binary.as_ref());
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .args(["broker", "--listen", "127.0.0.1:0"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().append(true).create(true).open(&log).expect("a log"))
            .spawn()
            .expect("it can be run");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        // Ends with the process at the latest.
        lines.read_line(&mut line).expect("readable");
        let addr = line.trim().strip_prefix("listening ").and_then(|text| text.parse().ok());
        let Some(addr) = addr else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(fs::read_to_string(&log).unwrap_or_default());
        };
        Ok(Process { child, addr, log })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that brokers with this log's directory have said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn rss_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Forgets the peak so far.
    pub fn reset_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("it is ours");
    }

    /// The most that it had since then.
    pub fn peak_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(path).expect("it lives");
        let line = status.lines().find(|line| line.starts_with(field)).expect("a known field");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_none()
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// SIGTERM, and how it ended.
    pub fn stop(mut self) -> ExitStatus {
        signal("TERM", self.pid());
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by the shell's own kill.
pub fn signal(name: &str, pid: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
    assert!(sent.expect("a shell").success(), "kill -{name} {pid}");
}

/// `tidings broker check`: whether everything is in order, and what it said.
pub fn check(data: &Path) -> (bool, String) {
    let output = Command::new(binary())
        .args(["broker", "check", "--json", "--data"])
        .arg(data)
        .output()
        .expect("it can be run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), said + &String::from_utf8_lossy(&output.stderr))
}
