//! R6: the disk reports an error to a sync or a write. From then on that log acknowledges nothing,
//! whatever later syncs say; the others go on; and after a restart all that was acknowledged is
//! there. The errors are injected into the system calls of the release binary by strace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::process::{Process, check, signal};
use super::records::Writer;
use super::{row, size};
use crate::support::{Wire, eventually, topic};

const STORAGE_ERROR: i16 = 56;
const PARTITIONS: i32 = 4;

/// The segment of partition 0 of the only topic.
fn segment(data: &Path) -> PathBuf {
    let has_log = |dir: &PathBuf| dir.join("0/00000000000000000000.log").exists();
    let entries = fs::read_dir(data.join("topics"))
        .expect("readable")
        .map(|entry| entry.expect("entry").path());
    let dir = entries.into_iter().find(has_log).expect("the topic's directory");
    dir.join("0/00000000000000000000.log")
}

/// Has every `call` on `path` fail in the running broker, until it is told to stop.
fn strace(broker: &Process, call: &str, path: &Path) -> Child {
    let errors = format!("inject={call}:error=EIO");
    let child = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &errors])
        .arg("-P")
        .arg(path)
        .args(["-p", &broker.pid().to_string()])
        .stdin(Stdio::null())
        .spawn()
        .expect("strace is installed");
    let status = format!("/proc/{}/status", broker.pid());
    eventually("strace is attached", || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    });
    child
}

fn detach(mut strace: Child) {
    signal("TERM", strace.id());
    strace.wait().expect("it is ours");
}

/// Ends the writers even if the test fails, which would wait for them.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// One disk error under load; prints what was acknowledged.
fn fails_under_load(call: &str) {
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data");
    let flags = ["--data", data.to_str().expect("UTF-8"), "--durability", "power"];
    let mut broker = Process::start(home.path(), &flags);
    topic(&mut Wire::connect(broker.addr), "t", PARTITIONS, &[]);
    let mut writers: Vec<Writer> = (0..PARTITIONS).map(|p| Writer::new("t", p, 200)).collect();
    let (stop, addr) = (AtomicBool::new(false), broker.addr);
    let refused = AtomicBool::new(false);
    let others = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for (partition, writer) in writers.iter_mut().enumerate() {
            let (stop, refused, others) = (&stop, &refused, &others);
            scope.spawn(move || {
                let mut wire = Wire::connect(addr);
                while !stop.load(Relaxed) {
                    let produced = writer.write(&mut wire);
                    match produced.error {
                        0 if partition == 0 => {
                            assert!(!refused.load(Relaxed), "acknowledged after the failure");
                        }
                        0 => drop(others.fetch_add(1, Relaxed)),
                        error => {
                            assert_eq!((partition, error), (0, STORAGE_ERROR), "{produced:?}");
                            refused.store(true, Relaxed);
                            // Not a wait: a client that is refused does not ask without end.
                            std::thread::sleep(Duration::from_millis(2));
                        }
                    }
                }
            });
        }
        let _end = Stop(&stop);
        eventually("the writers write", || others.load(Relaxed) > 30);
        let strace = strace(&broker, call, &segment(&data));
        eventually("partition 0 refuses", || refused.load(Relaxed));
        detach(strace);
        // The disk is well again, as far as anybody can tell: still nothing may be acknowledged.
        let before = others.load(Relaxed);
        eventually("the other partitions go on", || others.load(Relaxed) > before + 60);
        stop.store(true, Relaxed);
    });
    assert!(broker.is_running(), "reads go on: it does not end itself");
    let log = broker.log();
    assert!(log.contains("takes no more records"), "the log says so:\n{log}");
    let mut wire = Wire::connect(addr);
    let seen = writers[0].verify(&mut wire);
    assert_eq!(seen, 0, "no reader is shown what is not durable");
    broker.kill();
    let (sound, said) = check(&data);
    assert!(sound, "{said}");
    let broker = Process::start(home.path(), &flags);
    let mut wire = Wire::connect(broker.addr);
    let more: usize = writers.iter().map(|writer| writer.verify(&mut wire)).sum();
    assert_eq!(writers[0].write(&mut wire).error, 0, "a restart opens it again");
    assert!(broker.stop().success());
    let acknowledged: usize = writers.iter().map(|w| w.acknowledged.len()).sum();
    row(&format!("R6.{call}.acknowledged"), acknowledged, "> 0");
    row(&format!("R6.{call}.lost"), 0, "0");
    row(&format!("R6.{call}.unacknowledged_but_there_after_restart"), more, "allowed");
}

#[test]
#[ignore = "needs the release binary and strace: cargo xtask disk"]
fn a_failed_fdatasync_ends_one_partition_until_a_restart() {
    fails_under_load("fdatasync");
}

#[test]
#[ignore = "needs the release binary and strace: cargo xtask disk"]
fn a_failed_write_ends_one_partition_until_a_restart() {
    fails_under_load("pwritev");
}

/// The error comes at the nth call of each thread, at whatever file: start, topics, segments.
fn fails_at(call: &str, nth: &str) -> (usize, bool) {
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data");
    let flags = ["--data", data.to_str().expect("UTF-8"), "--durability", "power"];
    let (trace, errors) = (format!("trace={call}"), format!("inject={call}:error=EIO:when={nth}"));
    let under = ["strace", "-f", "-D", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &errors];
    let mut writers: Vec<Writer> = (0..2).map(|p| Writer::new("t", p, 200)).collect();
    let mut started = false;
    match Process::start_under(&under, home.path(), &flags) {
        Err(said) => assert!(said.contains("os error 5"), "it says what failed:\n{said}"),
        Ok(mut broker) => {
            started = true;
            let mut wire = Wire::connect(broker.addr);
            let (code, _) = crate::topics::create(&mut wire, "t", 2, 1, &[]);
            assert!([0, STORAGE_ERROR].contains(&code), "creating it: {code}");
            let mut fenced = [false; 2];
            for _ in 0..if code == 0 { 40 } else { 0 } {
                for (writer, fenced) in writers.iter_mut().zip(&mut fenced) {
                    let produced = writer.write(&mut wire);
                    match produced.error {
                        0 => assert!(!*fenced, "acknowledged after it was refused"),
                        error => {
                            assert_eq!(error, STORAGE_ERROR, "{produced:?}");
                            *fenced = true;
                        }
                    }
                }
            }
            assert!(broker.is_running(), "{}", broker.log());
            broker.kill();
        }
    }
    let broker = Process::start(home.path(), &flags);
    let mut wire = Wire::connect(broker.addr);
    for writer in writers.iter().filter(|writer| !writer.acknowledged.is_empty()) {
        writer.verify(&mut wire);
    }
    assert!(broker.stop().success());
    let (sound, said) = check(&data);
    assert!(sound, "{call} {nth}: {said}");
    (writers.iter().map(|writer| writer.acknowledged.len()).sum(), started)
}

#[test]
#[ignore = "needs the release binary and strace: cargo xtask disk"]
fn an_error_at_the_nth_call_loses_nothing_that_was_acknowledged() {
    let (mut runs, mut refused, mut acknowledged) = (0, 0, 0);
    for n in 1..=size("TIDINGS_TEST_DISK_CALLS", 6) {
        for call in ["fdatasync", "fsync", "pwrite64,pwritev", "pwrite64,pwritev,ftruncate"] {
            for nth in [format!("{n}"), format!("{n}+")] {
                let (count, started) = fails_at(call, &nth);
                runs += 1;
                refused += usize::from(!started);
                acknowledged += count;
            }
        }
    }
    row("R6.nth_call.runs", runs, ">= 48");
    row("R6.nth_call.refused_to_start", refused, "with a sentence");
    row("R6.nth_call.acknowledged", acknowledged, "> 0");
    row("R6.nth_call.lost", 0, "0");
}
