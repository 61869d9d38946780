//! The group coordinator: who is in which consumer group, and which offsets they committed.
//!
//! Committed offsets and settled generations (who is in, with which part of the work) are kept in a
//! journal and survive `kill -9`: after a restart members go on as if nothing had happened. A
//! rebalance that was under way begins anew, since those who had joined are unknown.
//!
//! ```text
//!   request -> Groups --lock--> Coordinator -> Group (state machine)   answers by oneshot
//!                 |                  ^
//!                 | queue            | apply
//!                 v                  |
//!              journal task: write, sync, then apply, then acknowledge
//!              timer task: deadlines of groups, retention of offsets
//! ```
//!
//! The lock is never held across an await or any I/O.

mod codec;
mod coordinator;
mod group;
mod ids;
mod journal;
mod limits;
mod offsets;
mod queries;
mod settings;
mod subscription;
#[cfg(test)]
mod tests;
mod timer;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use kafka_protocol::error::ResponseError;
use tidings_log::log::OpenError;
use tidings_log::storage::Storage;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::coordinator::{Coordinator, JoinAnswer, SyncAnswer};
use self::journal::{NotWritten, Pending, Writer, Written};
use self::offsets::Change;
use crate::clock::Clock;

pub(crate) use self::codec::EntryError;
pub(crate) use self::group::{
    Caller, Checked, JoinRefused, JoinRequest, Joined, Protocol, State, SyncRequest,
};
pub(crate) use self::ids::{GroupName, InstanceId, MemberId};
pub(crate) use self::offsets::{Committed, Offsets};
pub(crate) use self::queries::{Description, MemberDescription, Position};
pub(crate) use self::settings::GroupsConfig;

/// Reads an entry of the journal of offsets and writes it again, for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn reread(entry: &[u8]) {
    if let Ok(change) = codec::decode(entry) {
        assert_eq!(codec::encode(&change), entry, "{change:?} is written as it was read");
    }
}

#[cfg(feature = "fuzzing")]
pub(crate) use self::subscription::topics as topics_of;

/// What the coordinator must know about topics: whether a committed position can exist.
pub(crate) trait TopicLookup: Send + Sync + 'static {
    /// How many partitions the topic has; `None` if there is no such topic.
    fn partitions(&self, topic: &str) -> Option<i32>;
}

/// The group coordinator; a cheap handle to one shared state.
#[derive(Clone)]
pub(crate) struct Groups {
    inner: Arc<Inner>,
}

struct Inner {
    config: GroupsConfig,
    clock: Arc<dyn Clock>,
    topics: Arc<dyn TopicLookup>,
    /// Deadlines count milliseconds from here, on a clock that never jumps.
    started: Instant,
    state: Mutex<Shared>,
    /// A change was queued, or the coordinator was closed.
    queued: Notify,
    /// The next deadline moved to the front, or the coordinator was closed.
    rearmed: Notify,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the lock guards.
struct Shared {
    coordinator: Coordinator,
    queue: VecDeque<Pending>,
    closed: bool,
}

/// Why the coordinator could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenGroupsError {
    /// The journal of committed offsets could not be opened.
    #[error("cannot open the journal of committed offsets: {0}")]
    Journal(#[from] OpenError),
    /// An entry of it is whole, but nothing that this release knows.
    #[error("cannot read entry {number} of the journal of committed offsets: {error}")]
    Entry {
        /// Its place in the journal, from 1.
        number: u64,
        /// What is wrong with it.
        error: EntryError,
    },
}

impl Groups {
    /// Reads the committed offsets and starts the coordinator's tasks on the current runtime.
    ///
    /// `topics` must know all topics by now: offsets of those that it does not know are forgotten,
    /// for their deletion was interrupted before it got here.
    pub(crate) async fn open(
        storage: Arc<dyn Storage>,
        config: GroupsConfig,
        clock: Arc<dyn Clock>,
        topics: Arc<dyn TopicLookup>,
    ) -> Result<Groups, OpenGroupsError> {
        let mut coordinator = Coordinator::new(config.clone());
        let writer = Writer::open(storage, config.sync_commits, &mut coordinator)?;
        let inner = Inner {
            config,
            clock,
            topics,
            started: Instant::now(),
            state: Mutex::new(Shared { coordinator, queue: VecDeque::new(), closed: false }),
            queued: Notify::new(),
            rearmed: Notify::new(),
            tasks: Mutex::default(),
        };
        let groups = Groups { inner: Arc::new(inner) };
        let tasks = [
            tokio::spawn(journal::run(groups.clone(), writer)),
            tokio::spawn(timer::run(groups.clone())),
        ];
        groups.tasks().extend(tasks);
        groups.forget_unknown_topics().await;
        Ok(groups)
    }

    /// A JoinGroup. It waits for the rebalance to gather the members: up to their rebalance
    /// timeout. Dropping the future leaves the member in the group until its session ends.
    pub(crate) async fn join(&self, group: &GroupName, mut request: JoinRequest) -> JoinAnswer {
        let refused = |error, member_id| Err(JoinRefused { error, member_id });
        if let Err(error) = self.check_join(group, &request) {
            return refused(error, request.member_id);
        }
        let id = &mut request.client_id;
        id.truncate(id.floor_char_boundary(limits::MAX_CLIENT_ID_BYTES));
        let prefix = request.instance.as_ref().map_or(&*request.client_id, InstanceId::as_str);
        let fresh_id = MemberId::from(&*format!("{prefix}-{}", uuid::Uuid::new_v4()));
        let member_id = request.member_id.clone();
        let answer =
            self.step(|shared, now| shared.coordinator.join(group, request, fresh_id, now));
        let gone = ResponseError::CoordinatorNotAvailable;
        answer.await.unwrap_or_else(|_| refused(gone, member_id))
    }

    /// A SyncGroup. It waits for the leader's assignments: up to the group's rebalance timeout.
    pub(crate) async fn sync(&self, group: &GroupName, request: SyncRequest) -> SyncAnswer {
        check_name(group)?;
        let answer = self.step(|shared, now| shared.coordinator.sync(group, request, now));
        answer.await.unwrap_or(Err(ResponseError::CoordinatorNotAvailable))
    }

    /// A Heartbeat.
    pub(crate) fn heartbeat(&self, group: &GroupName, caller: &Caller) -> Checked {
        check_name(group)?;
        self.step(|shared, now| shared.coordinator.heartbeat(group, caller, now))
    }

    /// One member's LeaveGroup.
    pub(crate) fn leave(
        &self,
        group: &GroupName,
        member: &MemberId,
        instance: Option<&InstanceId>,
    ) -> Checked {
        check_name(group)?;
        self.step(|shared, now| shared.coordinator.leave(group, member, instance, now))
    }

    /// Forgets every offset committed for a topic, because the topic was deleted. Commits that
    /// were checked before the topic went are forgotten too.
    pub(crate) async fn topic_deleted(&self, topic: &str) {
        let changes = vec![Change::ForgetTopic { topic: topic.into() }];
        if self.record(changes).await.is_err() {
            tracing::error!(topic, "offsets of the deleted topic stay until the next start");
        }
    }

    /// Lowers the commits of a partition that lie beyond `end` to it, because recovery cut the
    /// log's tail there. Each lowered commit is logged.
    pub(crate) async fn clamp(&self, topic: &str, partition: i32, end: i64) {
        let changes = self.lock().coordinator.clamped(topic, partition, end);
        for change in &changes {
            if let Change::Commit { group, .. } = change {
                tracing::warn!(
                    %group, topic, partition, end,
                    "lowered a committed offset to the end of the log, whose tail was cut",
                );
            }
        }
        if !changes.is_empty() && self.record(changes).await.is_err() {
            tracing::error!(topic, partition, "committed offsets stay beyond the end of the log");
        }
    }

    /// Ends the tasks; every waiting request is answered, every acknowledged commit is written.
    pub(crate) async fn close(&self) {
        self.step(|shared, now| {
            shared.closed = true;
            shared.coordinator.dissolve(now);
        });
        self.inner.queued.notify_one();
        self.inner.rearmed.notify_one();
        let tasks = std::mem::take(&mut *self.tasks());
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the group coordinator did not end well");
            }
        }
    }

    fn check_join(&self, group: &GroupName, request: &JoinRequest) -> Checked {
        check_name(group)?;
        let instance = request.instance.as_ref().map_or("", InstanceId::as_str);
        if instance.len() > limits::MAX_ID_BYTES {
            return Err(ResponseError::InvalidRequest);
        }
        let bounds = self.inner.config.min_session_timeout_ms.max(0) as u64
            ..=self.inner.config.max_session_timeout_ms.max(0) as u64;
        if !bounds.contains(&request.session_timeout_ms) {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        let bytes: usize = request.protocols.iter().map(|p| p.name.as_str().len()).sum::<usize>()
            + request.protocols.iter().map(|p| p.metadata.len()).sum::<usize>();
        if bytes > limits::MAX_MEMBER_METADATA_BYTES {
            return Err(ResponseError::InvalidRequest);
        }
        if self.is_closed() { Err(ResponseError::CoordinatorNotAvailable) } else { Ok(()) }
    }

    async fn forget_unknown_topics(&self) {
        let mut unknown: Vec<Box<str>> = {
            let shared = self.lock();
            let topics = shared.coordinator.iter().flat_map(|(_, entry)| entry.offsets.topics());
            let unknown = topics.filter(|(t, _)| self.inner.topics.partitions(t).is_none());
            unknown.map(|(topic, _)| topic.into()).collect()
        };
        unknown.sort();
        unknown.dedup();
        for topic in unknown {
            tracing::warn!(%topic, "forget the offsets committed for a topic that is not there");
            self.topic_deleted(&topic).await;
        }
    }

    /// Queues changes and waits until they are durable and made.
    async fn record(&self, changes: Vec<Change>) -> Result<(), NotWritten> {
        let written = self.queue(&mut self.lock(), changes);
        written.done().await
    }

    /// Queues changes in the same breath as whatever the caller checked under the lock.
    fn queue(&self, shared: &mut Shared, changes: Vec<Change>) -> Written {
        if changes.is_empty() {
            return Written::Nothing;
        }
        if shared.closed || shared.queue.len() >= limits::MAX_WAITING_COMMITS {
            return Written::Refused;
        }
        let (done, written) = oneshot::channel();
        shared.queue.push_back(Pending { changes, done });
        self.inner.queued.notify_one();
        Written::Queued(written)
    }

    /// Queues a generation; its members hear of it when it is written.
    fn keep(&self, shared: &mut Shared, settled: Change) {
        let Change::Settle { group, generation } = &settled else { return };
        let group = group.clone();
        let bytes = codec::size_bound(generation);
        if bytes > limits::MAX_GENERATION_BYTES {
            tracing::error!(
                %group, bytes, limit = limits::MAX_GENERATION_BYTES,
                "the members' subscriptions are too large for the group to be kept: subscribe to \
                 fewer topics, or start fewer members",
            );
            return shared.coordinator.not_kept(&group, ResponseError::UnknownServerError);
        }
        if let Written::Refused = self.queue(shared, vec![settled]) {
            shared.coordinator.not_kept(&group, ResponseError::CoordinatorNotAvailable);
        }
    }

    fn take_pending(&self) -> Vec<Pending> {
        let mut shared = self.lock();
        let count = shared.queue.len().min(limits::MAX_COMMITS_PER_WRITE);
        shared.queue.drain(..count).collect()
    }

    /// The batch is in the journal (or not): now it counts (or does not).
    fn finish(&self, batch: Vec<Pending>, written: bool) {
        let mut answers = Vec::with_capacity(batch.len());
        self.step(|shared, now| {
            for pending in batch {
                for change in pending.changes {
                    match change {
                        change if written => shared.coordinator.apply(change, now),
                        Change::Settle { group, .. } => {
                            let error = ResponseError::CoordinatorNotAvailable;
                            shared.coordinator.not_kept(&group, error);
                        }
                        _ => {}
                    }
                }
                answers.push(pending.done);
            }
        });
        let outcome = if written { Ok(()) } else { Err(NotWritten) };
        for done in answers {
            // Whoever hung up sees its commit, or not, when it comes back.
            let _ = done.send(outcome);
        }
    }

    /// The journal's thread panicked: nothing can be written any more.
    fn writer_lost(&self, batch: Vec<Pending>) {
        self.finish(batch, false);
        let queued: Vec<Pending> = {
            let mut shared = self.lock();
            shared.closed = true;
            shared.queue.drain(..).collect()
        };
        self.finish(queued, false);
    }

    fn all_entries(&self) -> Vec<Vec<u8>> {
        self.lock().coordinator.all_changes().map(|change| codec::encode(&change)).collect()
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// One step of the coordinator; the timer learns if something is due earlier than before.
    fn step<T>(&self, step: impl FnOnce(&mut Shared, u64) -> T) -> T {
        let mut shared = self.lock();
        let before = shared.coordinator.next_deadline_ms().unwrap_or(u64::MAX);
        let outcome = step(&mut shared, self.now_ms());
        for settled in shared.coordinator.take_settled() {
            self.keep(&mut shared, settled);
        }
        let after = shared.coordinator.next_deadline_ms().unwrap_or(u64::MAX);
        drop(shared);
        if after < before {
            self.inner.rearmed.notify_one();
        }
        outcome
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.inner.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.inner.state.lock().expect("no step of the coordinator panics")
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.inner.tasks.lock().expect("nothing panics with the list of tasks in hand")
    }
}

/// Groups that have members need a name; the bound keeps the journal's entries small.
fn check_name(group: &GroupName) -> Checked {
    if group.is_empty() || group.as_str().len() > limits::MAX_ID_BYTES {
        return Err(ResponseError::InvalidGroupId);
    }
    Ok(())
}

/// The error code of an outcome; 0 is success.
pub(crate) fn error_code(outcome: Checked) -> i16 {
    outcome.map_or_else(|error| error.code(), |()| 0)
}
