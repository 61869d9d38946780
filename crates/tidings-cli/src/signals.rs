//! SIGTERM and Ctrl-C. What serves stops cleanly; every other command ends at once with the code
//! that shells know for it.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Exit, Failure};

/// The two signals that mean "stop", listened to from now on.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Listens; must run on the async runtime.
    pub fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for the first of them; cancelling it loses no signal.
    pub async fn wait(mut self) {
        self.next().await;
    }

    /// Waits for the next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What the next Ctrl-C does to a command that reads, waits or changes things.
static NEXT_INTERRUPT: AtomicU8 = AtomicU8::new(ENDS);
const ENDS: u8 = 0;
const IS_NOTED: u8 = 1;
const WAS_NOTED: u8 = 2;

/// Ends the process with 130 on Ctrl-C: for commands that read or wait. What was acknowledged
/// before stays, and nothing of theirs needs to be put away.
pub fn end_on_interrupt() {
    let watch = || {
        while let Ok(Ok(())) = crate::runtime::block_on(tokio::signal::ctrl_c()) {
            let noted = NEXT_INTERRUPT.compare_exchange(
                IS_NOTED,
                WAS_NOTED,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if noted.is_err() {
                std::process::exit(Exit::Interrupted as i32);
            }
        }
    };
    // Without the thread, Ctrl-C still ends the process, only with the signal's own status.
    let _ = std::thread::Builder::new().name("interrupt".to_owned()).spawn(watch);
}

/// From now on the first Ctrl-C is only noted, for a command that wants to say how far it got; the
/// second ends the process.
pub fn note_interrupt() {
    NEXT_INTERRUPT.store(IS_NOTED, Ordering::Relaxed);
}

/// Was a Ctrl-C noted?
pub fn is_interrupted() -> bool {
    NEXT_INTERRUPT.load(Ordering::Relaxed) == WAS_NOTED
}
