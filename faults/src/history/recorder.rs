//! Takes down operations from many threads, with one counter for the order of moments.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Operation;
use crate::Outcome;

/// A history that is being made.
#[derive(Debug, Default)]
pub struct Recorder {
    clock: AtomicU64,
    operations: Mutex<Vec<Operation>>,
}

impl Recorder {
    /// A moment: later than every moment that was taken before.
    pub fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Takes operations down, in this order.
    pub fn record(&self, operations: impl IntoIterator<Item = Operation>) {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).extend(operations);
    }

    /// Takes the history out.
    pub fn take(&self) -> Vec<Operation> {
        std::mem::take(&mut self.operations.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes a history, a line of JSON per operation.
///
/// # Errors
/// What the disk says.
pub fn write(history: &[Operation], out: &mut impl Write) -> Outcome {
    for operation in history {
        serde_json::to_writer(&mut *out, operation)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// The disk's, or the number of the line that is no operation.
pub fn read(lines: impl BufRead) -> Outcome<Vec<Operation>> {
    let mut history = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let operation = serde_json::from_str(&line?);
        history.push(operation.map_err(|error| format!("line {}: {error}", number + 1))?);
    }
    Ok(history)
}
