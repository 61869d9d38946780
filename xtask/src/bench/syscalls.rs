//! System calls of a running process: counted by `perf` where the kernel lets it, else by `strace`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kafka::need;
use crate::process::{Owned, tail};
use crate::{Outcome, place};

/// The calls that a broker makes while it works.
const NAMES: [&str; 11] = [
    "recvfrom",
    "sendto",
    "writev",
    "pwrite64",
    "pwritev",
    "pread64",
    "preadv",
    "fdatasync",
    "epoll_wait",
    "futex",
    "madvise",
];
/// Attaching takes a moment; what happens before is not counted.
const ATTACHED: Duration = Duration::from_millis(500);

/// System calls by name.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) all: u64,
    pub(super) fdatasyncs: u64,
    named: BTreeMap<String, u64>,
}

/// A counter that is attached to a process.
pub(super) struct Watch {
    tool: Owned,
    out: PathBuf,
    parse: fn(&str) -> Calls,
}

impl Watch {
    pub(super) fn start(pid: u32) -> Outcome<Self> {
        let out = place::target().join("xtask/bench/calls");
        let (mut command, parse): (Command, fn(&str) -> Calls) = if perf_counts() {
            (perf(&events()), of_perf)
        } else {
            need("strace", "--version", "strace")?;
            let mut strace = Command::new("strace");
            strace.args(["-c", "-f"]);
            (strace, of_strace)
        };
        command.arg("-o").arg(&out).args(["-p", &pid.to_string()]);
        let tool = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let tool = Owned::new(tool.spawn()?);
        std::thread::sleep(ATTACHED);
        Ok(Self { tool, out, parse })
    }

    pub(super) fn stop(mut self) -> Outcome<Calls> {
        self.tool.signal(Signal::SIGINT);
        self.tool.wait(Duration::from_secs(10))?.ok_or("the counter of calls does not end")?;
        let calls = (self.parse)(&fs::read_to_string(&self.out)?);
        if calls.all == 0 {
            return Err(format!("no calls were counted:\n{}", tail(&self.out, 1000)).into());
        }
        fs::remove_file(&self.out)?;
        Ok(calls)
    }
}

impl Calls {
    pub(super) fn by_name(&self, messages: u64) -> Value {
        let per = |count: &u64| *count as f64 / messages as f64;
        json!(self.named.iter().map(|(name, count)| (name, per(count))).collect::<BTreeMap<_, _>>())
    }

    /// The largest ones in words.
    pub(super) fn words(&self, messages: u64) -> String {
        let mut named: Vec<_> = self.named.iter().filter(|one| *one.1 > 0).collect();
        named.sort_by(|a, b| b.1.cmp(a.1));
        let per = |count: u64| count as f64 / messages as f64;
        let words = named.iter().take(5).map(|(name, n)| format!("{name} {:.4}", per(**n)));
        words.collect::<Vec<_>>().join(", ")
    }

    fn add(&mut self, name: &str, count: u64) {
        if name == "fdatasync" {
            self.fdatasyncs = count;
        }
        self.named.insert(name.to_owned(), count);
    }
}

fn events() -> String {
    let named = NAMES.iter().map(|name| format!("syscalls:sys_enter_{name}"));
    let all = ["raw_syscalls:sys_enter".to_owned()].into_iter().chain(named);
    all.collect::<Vec<_>>().join(",")
}

fn perf(events: &str) -> Command {
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x", ",", "-e", events]);
    perf
}

/// Whether perf is there, and may count, and counts.
fn perf_counts() -> bool {
    let mut probe = perf("raw_syscalls:sys_enter");
    let output = probe.arg("true").stdin(Stdio::null()).output();
    output.is_ok_and(|output| {
        output.status.success() && of_perf(&String::from_utf8_lossy(&output.stderr)).all > 0
    })
}

/// Lines such as `9360,,raw_syscalls:sys_enter,...`.
fn of_perf(text: &str) -> Calls {
    let mut calls = Calls::default();
    for line in text.lines() {
        let mut fields = line.split(',');
        let (Some(count), Some(event)) = (fields.next(), fields.nth(1)) else { continue };
        let Ok(count) = count.parse() else { continue };
        match event.strip_prefix("syscalls:sys_enter_") {
            Some(name) => calls.add(name, count),
            None => calls.all = count,
        }
    }
    calls
}

/// Lines such as ` 42.1    0.001    3    360       2 futex`, and a total at the end.
fn of_strace(text: &str) -> Calls {
    let mut calls = Calls::default();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(count), Some(name)) = (fields.get(3), fields.last()) else { continue };
        match count.parse() {
            Ok(count) if *name == "total" => calls.all = count,
            Ok(count) => calls.add(name, count),
            Err(_) => {}
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tools_are_understood() {
        let perf = "# started\n\n9360,,raw_syscalls:sys_enter,1,100.00,,\n\
                    15,,syscalls:sys_enter_fdatasync,1,100.00,,\n\
                    <not supported>,,syscalls:sys_enter_none,0,100.00,,\n";
        let calls = of_perf(perf);
        assert_eq!((calls.all, calls.fdatasyncs), (9360, 15));
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n\
                      ------ ----------- ----------- --------- --------- ----------------\n\
                      \x20 60.00    0.000600           3       200         7 futex\n\
                      \x20 40.00    0.000400           2        15           fdatasync\n\
                      ------ ----------- ----------- --------- --------- ----------------\n\
                      100.00    0.001000           2       215         7 total\n";
        let calls = of_strace(strace);
        assert_eq!((calls.all, calls.fdatasyncs, calls.named["futex"]), (215, 15, 200));
        assert_eq!(calls.words(100), "futex 2.0000, fdatasync 0.1500");
    }
}
