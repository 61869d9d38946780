//! The store's account of how far the group is, for threads that are not the runtime's: the
//! question runs as a task there, and the thread waits for its answer, for a bounded time.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::runtime::Handle;

use crate::lanes::Group;
use crate::service::limits::STORE_CALL;
use crate::stored::{Position, Stored};

/// A group's positions in the service's store.
#[derive(Clone)]
pub(super) struct Positions {
    stored: Stored,
    runtime: Handle,
    group: String,
}

/// Why what needs the broker and, with a store, the store, has not worked. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("{0}")]
    Store(String),
}

impl Failed {
    /// What the broker says, if it does.
    pub(super) fn code(&self) -> Option<RDKafkaErrorCode> {
        match self {
            Failed::Kafka(error) => error.rdkafka_error_code(),
            Failed::Store(_) => None,
        }
    }
}

impl Positions {
    /// None without a store.
    pub(super) fn of(group: &Group, runtime: &Handle) -> Option<Positions> {
        let stored = group.scope.stored.clone()?;
        Some(Positions { stored, runtime: runtime.clone(), group: group.name.clone() })
    }

    /// All of the group.
    pub(super) fn read(&self) -> Result<Vec<Position>, Failed> {
        self.wait(self.stored.positions(self.group.clone()))
    }

    /// Writes these, all or none.
    pub(super) fn keep(&self, positions: Vec<Position>) -> Result<(), Failed> {
        match self.wait(self.stored.keep_positions(self.group.clone(), positions))? {
            true => Ok(()),
            false => Err(Failed::Store(
                "the group's positions in the store were moved on purpose while this instance had \
                 the partitions: restart it, so that it begins where they are now"
                    .to_owned(),
            )),
        }
    }

    /// A task, not `block_on` here: that panics when the runtime ends meanwhile, as when a service
    /// is dropped.
    fn wait<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, String>> + Send + 'static,
    ) -> Result<T, Failed> {
        let (tell, told) = sync_channel(1);
        let task = self.runtime.spawn(async move {
            // Nobody waits any more when the time is up.
            let _ = tell.send(question.await);
        });
        let answer = told.recv_timeout(STORE_CALL).unwrap_or_else(|error| {
            task.abort();
            Err(match error {
                RecvTimeoutError::Timeout => {
                    format!("the store did not answer within {} s", STORE_CALL.as_secs())
                }
                RecvTimeoutError::Disconnected => "the service has ended".to_owned(),
            })
        });
        answer.map_err(Failed::Store)
    }
}
