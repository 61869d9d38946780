//! Where committed offsets and members become durable: one writer, one write and one sync for all
//! that waits.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use tidings_log::journal::{Journal, JournalError};
use tidings_log::storage::Storage;
use tokio::sync::oneshot;

use super::codec;
use super::coordinator::Coordinator;
use super::limits;
use super::offsets::Change;
use super::{Checked, Groups, OpenGroupsError};

/// The journal's file in the data directory.
pub(super) const FILE: &str = "offsets.journal";

/// Changes that wait to be written, and who is to be told.
pub(super) struct Pending {
    pub(super) changes: Vec<Change>,
    pub(super) done: oneshot::Sender<Result<(), NotWritten>>,
}

/// The changes are not in the journal and were not made.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotWritten;

/// The wait for queued changes to be durable and made.
#[must_use]
pub(super) enum Written {
    /// There was nothing to write.
    Nothing,
    /// The queue took none.
    Refused,
    /// They are in the queue.
    Queued(oneshot::Receiver<Result<(), NotWritten>>),
}

impl Written {
    pub(super) async fn done(self) -> Result<(), NotWritten> {
        match self {
            Written::Nothing => Ok(()),
            Written::Refused => Err(NotWritten),
            Written::Queued(receiver) => receiver.await.unwrap_or(Err(NotWritten)),
        }
    }

    /// Waits, and turns the good ones of `outcomes` bad if nothing was written. The error is
    /// Kafka's when its own log of offsets takes no writes: clients try again.
    pub(super) async fn wait(self, mut outcomes: Vec<Checked>) -> Vec<Checked> {
        if self.done().await.is_err() {
            let failed = ResponseError::CoordinatorNotAvailable;
            outcomes.iter_mut().filter(|o| o.is_ok()).for_each(|o| *o = Err(failed));
        }
        outcomes
    }
}

/// The journal with its writer's settings.
pub(super) struct Writer {
    journal: Journal,
    sync: bool,
    /// The journal's length when it last held nothing but what was in force, roughly.
    live_bytes: u64,
}

impl Writer {
    /// Opens the journal and makes its changes in `coordinator`.
    pub(super) fn open(
        storage: Arc<dyn Storage>,
        sync: bool,
        coordinator: &mut Coordinator,
    ) -> Result<Writer, OpenGroupsError> {
        let (journal, entries, recovery) = Journal::open(storage, FILE)?;
        if recovery.cut_bytes > 0 {
            tracing::warn!(
                file = FILE,
                cut_bytes = recovery.cut_bytes,
                kept_aside = recovery.kept_aside,
                "cut the torn tail of the journal of committed offsets",
            );
        }
        for (number, entry) in entries.iter().enumerate() {
            let change = codec::decode(entry)
                .map_err(|error| OpenGroupsError::Entry { number: number as u64 + 1, error })?;
            coordinator.apply(change, 0);
        }
        coordinator.restore(0);
        let live_bytes = coordinator.all_changes().map(|c| codec::encode(&c).len() as u64).sum();
        Ok(Writer { journal, sync, live_bytes })
    }

    fn write(&mut self, entries: &[Vec<u8>]) -> Result<(), JournalError> {
        #[cfg(feature = "mutants")]
        if !crate::mutants::is_kept() {
            return Ok(());
        }
        self.journal.append_all(entries.iter().map(Vec::as_slice))?;
        if self.sync {
            match self.journal.plan_sync().run() {
                Ok(position) => self.journal.synced(position),
                Err(error) => {
                    self.journal.fence(error.to_string());
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn has_grown(&self) -> bool {
        let size = self.journal.size_bytes();
        size > limits::MIN_REWRITE_BYTES && size / limits::REWRITE_GROWTH > self.live_bytes
    }

    fn rewrite(&mut self, entries: &[Vec<u8>]) -> Result<(), JournalError> {
        self.journal.rewrite(entries.iter().map(Vec::as_slice))?;
        self.live_bytes = self.journal.size_bytes();
        Ok(())
    }
}

/// Writes what waits until the coordinator is closed and nothing waits any more.
pub(super) async fn run(groups: Groups, mut writer: Writer) {
    loop {
        let batch = groups.take_pending();
        if batch.is_empty() {
            if groups.is_closed() {
                return;
            }
            groups.inner.queued.notified().await;
            continue;
        }
        let entries: Vec<Vec<u8>> =
            batch.iter().flat_map(|pending| &pending.changes).map(codec::encode).collect();
        let (written, back) = on_blocking_thread(writer, move |w| w.write(&entries)).await;
        let Some(back) = back else { return groups.writer_lost(batch) };
        writer = back;
        if let Err(error) = &written {
            tracing::error!(%error, "committed offsets could not be written");
        }
        groups.finish(batch, written.is_ok());
        if writer.has_grown() {
            let entries = groups.all_entries();
            let (written, back) = on_blocking_thread(writer, move |w| w.rewrite(&entries)).await;
            let Some(back) = back else { return groups.writer_lost(Vec::new()) };
            writer = back;
            if let Err(error) = written {
                tracing::warn!(%error, "the journal of committed offsets could not be rewritten");
                // As long as it cannot, another try waits until it has grown as much again.
                writer.live_bytes = writer.journal.size_bytes();
            }
        }
    }
}

/// Runs `work` where it may block; the writer does not come back if that thread panicked.
async fn on_blocking_thread<F>(
    mut writer: Writer,
    work: F,
) -> (Result<(), JournalError>, Option<Writer>)
where
    F: FnOnce(&mut Writer) -> Result<(), JournalError> + Send + 'static,
{
    let joined = tokio::task::spawn_blocking(move || {
        let outcome = work(&mut writer);
        (outcome, writer)
    });
    match joined.await {
        Ok((outcome, writer)) => (outcome, Some(writer)),
        Err(error) => {
            let reason = format!("its writer stopped: {error}");
            (Err(JournalError::Fenced { path: FILE.into(), reason }), None)
        }
    }
}
