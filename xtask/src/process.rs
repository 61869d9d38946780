//! Child processes that end with their owner, and the signals that end us.

use std::io::Read;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::Outcome;

/// A child process that is killed when its owner goes away.
#[derive(Debug)]
pub(crate) struct Owned(Child);

/// Why a child's time is over.
#[derive(Debug)]
pub(crate) enum End {
    /// We shall end, so it shall too; it still runs.
    Told(&'static str),
    /// It ended before anybody asked for it.
    Itself(ExitStatus),
}

impl Owned {
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Sends `signal`; a child that is gone already is no error.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _gone = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Waits for the end, at most `limit`; `None` when it still runs.
    pub(crate) fn wait(&mut self, limit: Duration) -> Outcome<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until we are told to end ([`end_requested`]) or it ended by itself.
    pub(crate) fn end(&mut self, told: &Receiver<&'static str>) -> Outcome<End> {
        loop {
            match told.recv_timeout(Duration::from_millis(200)) {
                Ok(why) => return Ok(End::Told(why)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(End::Told("nobody is left to tell"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(status) = self.0.try_wait()? {
                return Ok(End::Itself(status));
            }
        }
    }

    /// Asks it to end, and ends it when it does not within `limit`.
    pub(crate) fn stop(&mut self, limit: Duration) -> Outcome<ExitStatus> {
        self.signal(Signal::SIGTERM);
        if let Some(status) = self.wait(limit)? {
            return Ok(status);
        }
        self.0.kill()?;
        Ok(self.0.wait()?)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Tells when this process shall end: SIGTERM, SIGINT or, if asked for, the end of standard input.
///
/// Called before any thread is started, since threads inherit the mask that makes the signals wait.
pub(crate) fn end_requested(stdin_too: bool) -> Outcome<Receiver<&'static str>> {
    let ends = ends();
    ends.thread_block()?;
    let (tell, told) = channel();
    if stdin_too {
        let tell = tell.clone();
        thread::spawn(move || {
            let _bytes = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            tell.send("standard input was closed")
        });
    }
    thread::spawn(move || match ends.wait() {
        Ok(signal) => tell.send(signal.as_str()),
        Err(_) => tell.send("signals cannot be waited for"),
    });
    Ok(told)
}

/// Starts a child that those signals end, although they wait here after [`end_requested`].
///
/// A child inherits the mask too. Servers set their own; Cargo and the programs that it runs would
/// hear neither Ctrl-C nor SIGTERM. A signal in the moment of the start ends us without a word.
pub(crate) fn spawn_endable(command: &mut Command) -> Outcome<Child> {
    let ends = ends();
    ends.thread_unblock()?;
    let child = command.spawn();
    ends.thread_block()?;
    Ok(child?)
}

fn ends() -> SigSet {
    SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP])
}

/// The last `max_bytes` of a log file, for an error message.
pub(crate) fn tail(path: &std::path::Path, max_bytes: usize) -> String {
    let mut text = Vec::new();
    if let Ok(mut file) = std::fs::File::open(path) {
        let _partial = file.read_to_end(&mut text);
    }
    let from = text.len().saturating_sub(max_bytes);
    String::from_utf8_lossy(&text[from..]).into_owned()
}
