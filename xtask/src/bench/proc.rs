//! What the kernel knows of a running process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Outcome;

/// A moment of a process: only differences mean anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) cpu: Duration,
    /// How often its threads gave up a core.
    pub(super) switches: u64,
    /// Bytes that it made dirty for the disk.
    pub(super) written_bytes: u64,
}

impl Moment {
    pub(super) fn of(pid: u32) -> Outcome<Self> {
        let (mut cpu_ns, mut switches) = (0, 0);
        for thread in threads(pid)? {
            // A thread may end between being listed and being read.
            let Ok(times) = fs::read_to_string(thread.join("schedstat")) else { continue };
            cpu_ns += first_number(&times);
            let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
            switches += field(&status, "voluntary_ctxt_switches:");
        }
        let io = fs::read_to_string(place(pid, "io"))?;
        let written_bytes = field(&io, "write_bytes:");
        Ok(Self { cpu: Duration::from_nanos(cpu_ns), switches, written_bytes })
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            switches: self.switches.saturating_sub(before.switches),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
        }
    }
}

/// Resident memory in KiB: all of it, and what is not a page of a file.
pub(super) fn resident_kib(pid: u32) -> Outcome<(u64, u64)> {
    let status = fs::read_to_string(place(pid, "status"))?;
    Ok((field(&status, "VmRSS:"), field(&status, "RssAnon:")))
}

pub(super) fn open_files(pid: u32) -> Outcome<usize> {
    Ok(fs::read_dir(place(pid, "fd"))?.count())
}

fn threads(pid: u32) -> Outcome<Vec<PathBuf>> {
    let entries = fs::read_dir(place(pid, "task"))?;
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
}

fn place(pid: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix(name)).map_or(0, first_number)
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_name() {
        let status = "VmRSS:\t    9796 kB\nnonvoluntary_ctxt_switches:\t7\n\
                      voluntary_ctxt_switches:\t3\n";
        assert_eq!(field(status, "VmRSS:"), 9796);
        assert_eq!(field(status, "voluntary_ctxt_switches:"), 3);
        assert_eq!(field(status, "RssAnon:"), 0);
    }

    #[test]
    fn a_process_knows_itself() {
        let before = Moment::of(std::process::id()).unwrap();
        let spent = Moment::of(std::process::id()).unwrap().since(before);
        assert!(spent.cpu <= Duration::from_secs(60));
        assert!(resident_kib(std::process::id()).unwrap().0 > 0);
    }
}
