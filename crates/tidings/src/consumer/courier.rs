//! Brings commits to the broker one at a time and in order, on a thread of its own, so that the
//! consumer's thread need not wait for the answer and still learns it. All commits go this way: one
//! that took another way could be overtaken by an older one, and the group would move back.
//!
//! librdkafka can commit without waiting by itself, but tells nobody how that ended unless a
//! callback was set, which the Rust binding's way of polling for events does not do.
//!
//! With a store, positions are written there first: so Kafka is never ahead of the store, unless
//! the store is an older copy of itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::Client;
use super::callbacks::Event;
use super::inbox::Inbox;
use super::positions::{Failed, Positions};
use crate::stored::Position;

pub(super) struct Courier {
    errands: mpsc::SyncSender<Errand>,
    thread: JoinHandle<()>,
    /// How often partitions were lost.
    losses: Arc<AtomicU64>,
}

/// What is to be committed.
#[derive(Default)]
pub(super) struct Load {
    /// To Kafka.
    pub(super) list: TopicPartitionList,
    /// To the store, before; empty without one.
    pub(super) positions: Vec<Position>,
}

/// What the courier's thread has.
struct Round {
    client: Arc<Client>,
    positions: Option<Positions>,
    /// How often partitions were lost.
    lost: Arc<AtomicU64>,
}

struct Errand {
    load: Load,
    /// As of then.
    losses: u64,
    /// Who waits for the answer; without anybody it becomes an event.
    asks: Option<Asks>,
}

type Asks = mpsc::SyncSender<Result<(), Failed>>;

/// `orders[3]@120 orders[4]@97`, for the log.
struct Offsets<'a>(&'a TopicPartitionList);

impl fmt::Display for Offsets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, entry) in self.0.elements().iter().enumerate() {
            let between = if at == 0 { "" } else { " " };
            let offset = entry.offset().to_raw().unwrap_or(-1);
            write!(f, "{between}{}[{}]@{offset}", entry.topic(), entry.partition())?;
        }
        Ok(())
    }
}

impl Courier {
    pub(super) fn start(
        client: Arc<Client>,
        inbox: Arc<Inbox>,
        positions: Option<Positions>,
    ) -> std::io::Result<Courier> {
        let (errands, waiting) = mpsc::sync_channel::<Errand>(1);
        let thread = std::thread::Builder::new().name("tidings-commits".to_owned());
        let losses = Arc::new(AtomicU64::new(0));
        let round = Round { client, positions, lost: Arc::clone(&losses) };
        let thread = thread.spawn(move || {
            while let Ok(Errand { load, losses, asks }) = waiting.recv() {
                let result = match load.list.count() {
                    0 => Ok(()),
                    _ => round.bring(load, losses),
                };
                match asks {
                    // It waits until it has the answer, so somebody takes it.
                    Some(asks) => drop(asks.send(result)),
                    None => inbox.push_event(Event::Committed(result)),
                }
            }
        })?;
        Ok(Courier { errands, thread, losses })
    }

    /// Waits until nothing is under way. A commit that still waited while its partitions were given
    /// back would go out under the group's next generation, from one who is no owner any more, and
    /// the broker would take it.
    pub(super) fn wait(&self) {
        self.bring(Load::default());
    }

    /// What waits is not sent any more: its partitions belong to others. Nor is it waited for,
    /// since who loses partitions may have lost the broker.
    pub(super) fn forget(&self) {
        self.losses.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes a commit along if there is room. Its answer comes as an event.
    pub(super) fn send(&self, load: Load) -> bool {
        self.errands.try_send(self.errand(load, None)).is_ok()
    }

    /// Brings a commit behind those that are under way, and waits for its answer. `None` if the
    /// thread is gone, which only a panic of ours can do.
    pub(super) fn bring(&self, load: Load) -> Option<Result<(), Failed>> {
        let (asks, answer) = mpsc::sync_channel(1);
        self.errands.send(self.errand(load, Some(asks))).ok()?;
        answer.recv().ok()
    }

    fn errand(&self, load: Load, asks: Option<Asks>) -> Errand {
        Errand { load, losses: self.losses.load(Ordering::Acquire), asks }
    }

    /// Lets go of the client, which the last owner closes.
    pub(super) fn end(self) {
        drop(self.errands);
        // It has no way to fail; a panic of ours was printed when it happened.
        let _ = self.thread.join();
    }
}

impl Round {
    /// `losses`: as of when the commit was given.
    fn bring(&self, load: Load, losses: u64) -> Result<(), Failed> {
        self.is_owner(losses)?;
        if let Some(positions) = &self.positions {
            positions.keep(load.positions)?;
            // The store may have taken its time.
            self.is_owner(losses)?;
        }
        let list = &load.list;
        tracing::debug!(offsets = %Offsets(list), "commit sent");
        let result = self.client.commit(list, CommitMode::Sync);
        let error = result.as_ref().err().map(ToString::to_string);
        tracing::debug!(offsets = %Offsets(list), error, "commit answered");
        Ok(result?)
    }

    fn is_owner(&self, losses: u64) -> Result<(), Failed> {
        if losses == self.lost.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::AssignmentLost).into())
    }
}
