//! The consumer of one group: a thread that owns Kafka's client, serves its callbacks, feeds the
//! lanes and commits. Nothing of a user's runs here, so a slow handler never costs membership.
//!
//! Back pressure is not reading: a partition whose records cannot be taken keeps them in the
//! client's own bounded queue. `pause` would throw them away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::oneshot;

use crate::lanes::{Group, Lanes, Report};
use crate::link::{Act, Link, NotAllowed};
use crate::progress::StoreId;
use crate::service::Start;
use crate::service::health::GROUP_CHECK;
use crate::service::limits::{
    CLOSE_MAX, IDLE_WAIT, IN_WORK_MAX_BYTES, IN_WORK_MAX_RECORDS, REFUSED_AT_START, STOP_DRAIN,
};

mod assign;
mod begin;
mod callbacks;
mod close;
mod commit;
mod courier;
mod inbox;
mod lag;
mod partition;
mod positions;
mod read;
mod revoke;
mod tracker;

use assign::Rebalance;
use callbacks::Callbacks;
use commit::Commits;
use courier::Courier;
use inbox::{Inbox, Order};
use partition::Partition;
use positions::Positions;

type Client = BaseConsumer<Callbacks>;

/// What a consumer needs to begin.
pub(crate) struct Setup {
    pub(crate) config: rdkafka::ClientConfig,
    pub(crate) topics: Vec<String>,
    pub(crate) group: Arc<Group>,
    pub(crate) start: Start,
    pub(crate) runtime: tokio::runtime::Handle,
    /// Which store the service has, if it has one.
    pub(crate) store: Option<StoreId>,
    pub(crate) link: Link,
}

/// A consumer had to stop by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerError {
    /// The client does not accept its configuration, or cannot subscribe.
    #[error("the consumer of group `{group}` cannot start: {reason}")]
    Start {
        /// The consumer group.
        group: String,
        /// The client's reason.
        reason: String,
    },
    /// Another instance took this one's name.
    #[error(
        "another instance of group `{group}` joined under this one's name: each needs a name of \
         its own (TIDINGS_INSTANCE, or `.instance(..)`)"
    )]
    Fenced {
        /// The consumer group.
        group: String,
    },
    /// The broker does not allow what this consumer is for.
    #[error("{act}")]
    NotAllowed {
        /// The consumer group.
        group: String,
        /// Who may not do what, and what would allow it.
        act: Box<NotAllowed>,
    },
    /// The client gave up for good.
    #[error("the consumer of group `{group}` cannot go on: {reason}")]
    Fatal {
        /// The consumer group.
        group: String,
        /// The client's reason.
        reason: String,
    },
}

/// A running consumer. Dropping it cancels what runs and commits nothing more.
pub(crate) struct Handle {
    inbox: Arc<Inbox>,
    end: Option<oneshot::Receiver<Result<(), ConsumerError>>>,
}

impl Handle {
    /// Takes nothing new, lets what runs end, commits and leaves.
    pub(crate) fn stop(&self) {
        self.inbox.order(Order::Stop);
    }

    /// How it ended.
    pub(crate) async fn ended(&mut self) -> Result<(), ConsumerError> {
        match &mut self.end {
            // The thread answers before it ends; it can only be gone by a panic of ours.
            Some(end) => {
                let result = end.await.unwrap_or(Ok(()));
                self.end = None;
                result
            }
            None => Ok(()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inbox.order(Order::Abort);
    }
}

/// Starts the thread.
pub(crate) fn spawn(setup: Setup) -> Result<Handle, ConsumerError> {
    let group = setup.group.name.clone();
    let failed = |reason: String| ConsumerError::Start { group: group.clone(), reason };
    let inbox = Arc::new(Inbox::default());
    let callbacks =
        Callbacks::new(Arc::clone(&inbox), setup.group.name.clone(), setup.link.clone());
    let mut client: Client =
        setup.config.create_with_context(callbacks).map_err(|error| failed(error.to_string()))?;
    let bell = Arc::clone(&inbox);
    client.set_nonempty_callback(move || bell.ring());
    let topics: Vec<&str> = setup.topics.iter().map(String::as_str).collect();
    client.subscribe(&topics).map_err(|error| failed(error.to_string()))?;

    // Here, not on the thread: until it runs, the service would count as ready.
    let health = setup.group.meters.stats().health();
    health.set(check_name(&setup.group), Some("it has not joined its group yet".to_owned()));

    let (tell_end, end) = oneshot::channel();
    let name = format!("tidings-{}", setup.group.name);
    let handle = Handle { inbox: Arc::clone(&inbox), end: Some(end) };
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        inbox.listen();
        let result = Consumer::new(client, setup, inbox).and_then(Consumer::run);
        // Nobody waits for the end of a service that was dropped.
        let _ = tell_end.send(result);
    });
    thread.map_err(|error| failed(error.to_string()))?;
    Ok(handle)
}

struct Consumer {
    client: Arc<Client>,
    group: Arc<Group>,
    start: Start,
    inbox: Arc<Inbox>,
    lanes: Lanes,
    /// A shard has ended: see [`Lanes::hand_out`].
    lanes_gone: bool,
    partitions: Vec<Partition>,
    /// Assignments and revocations in the order in which they came; the first is under way.
    rebalances: std::collections::VecDeque<Rebalance>,
    last_assignment: u64,
    in_work: InWork,
    /// Kept for its memory.
    reports: Vec<Report>,
    commits: Commits,
    courier: Courier,
    /// The store's account of the group, if there is a store.
    positions: Option<Positions>,
    /// The cluster's id, once a store had to know it.
    cluster: Option<String>,
    /// Where the next round of reading begins, so that each partition gets its turn first.
    turn: usize,
    stopping: Option<Instant>,
    link: Link,
    began: Instant,
    /// What a partition's queue has brought that ends it all.
    failed: Option<ConsumerError>,
}

/// What the lanes have and have not reported.
#[derive(Default)]
struct InWork {
    records: usize,
    bytes: usize,
}

impl InWork {
    fn has_room(&self) -> bool {
        self.records < IN_WORK_MAX_RECORDS && (self.bytes < IN_WORK_MAX_BYTES || self.records == 0)
    }
}

impl Consumer {
    fn new(client: Client, setup: Setup, inbox: Arc<Inbox>) -> Result<Consumer, ConsumerError> {
        let group = setup.group;
        let client = Arc::new(client);
        let positions = Positions::of(&group, &setup.runtime);
        let courier = Courier::start(Arc::clone(&client), Arc::clone(&inbox), positions.clone());
        let courier = courier.map_err(|error| ConsumerError::Start {
            group: group.name.clone(),
            reason: error.to_string(),
        })?;
        let lanes = Lanes::start(&setup.runtime, Arc::clone(&group), inbox.clone());
        Ok(Consumer {
            client,
            commits: Commits::new(&group, setup.store),
            courier,
            positions,
            cluster: None,
            group,
            start: setup.start,
            inbox,
            lanes,
            lanes_gone: false,
            partitions: Vec::new(),
            rebalances: Default::default(),
            last_assignment: 0,
            in_work: InWork::default(),
            reports: Vec::new(),
            turn: 0,
            stopping: None,
            link: setup.link,
            began: Instant::now(),
            failed: None,
        })
    }

    fn run(mut self) -> Result<(), ConsumerError> {
        let result = self.work();
        self.end();
        result
    }

    /// One round after the other, until there is nothing left to do.
    fn work(&mut self) -> Result<(), ConsumerError> {
        loop {
            let mut busy = self.serve_client()?;
            busy |= self.take_reports();
            self.serve_rebalance();
            match self.inbox.ordered() {
                Some(Order::Abort) => return Ok(()),
                Some(Order::Stop) if self.stopping.is_none() => self.begin_stop(),
                _ => {}
            }
            if self.stopping.is_none() {
                busy |= self.read();
            } else if self.has_drained() {
                return Ok(());
            }
            if self.lanes_gone {
                let (group, reason) = (self.group.name.clone(), "its lanes have ended".to_owned());
                return Err(ConsumerError::Fatal { group, reason });
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            self.commit_if_due();
            if !busy {
                std::thread::park_timeout(self.idle_wait());
            }
        }
    }

    /// Callbacks run in here; what they bring is put into the inbox.
    fn serve_client(&mut self) -> Result<bool, ConsumerError> {
        let client = Arc::clone(&self.client);
        let mut busy = false;
        // A few per round: errors may come in floods while brokers are away.
        for _ in 0..16 {
            match client.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => self.take_stray(&message),
                Some(Err(error)) => self.client_error(&error)?,
            }
            busy = true;
        }
        Ok(busy)
    }

    fn client_error(&mut self, error: &KafkaError) -> Result<(), ConsumerError> {
        let group = self.group.name.clone();
        match error {
            KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId) => {
                Err(ConsumerError::Fenced { group })
            }
            KafkaError::MessageConsumptionFatal(code) => {
                Err(ConsumerError::Fatal { group, reason: code.to_string() })
            }
            other if self.is_not_allowed(other, None) => Ok(()),
            other => {
                // The client has told its error callback already, which warns.
                tracing::debug!(group, error = %other, "the consumer met an error and goes on");
                Ok(())
            }
        }
    }

    /// An authorizer's refusal: soon after the start it is the end, since somebody is still there
    /// to read why; later it is waited for, as for a broker that is away.
    fn is_not_allowed(&mut self, error: &KafkaError, topic: Option<&str>) -> bool {
        let group = self.group.name.clone();
        let handlers = &self.group.router.handlers;
        let topics: Vec<&str> = handlers.iter().map(|handler| handler.topic).collect();
        let act = match (error.rdkafka_error_code(), topic) {
            (Some(RDKafkaErrorCode::GroupAuthorizationFailed), _) => Act::Join(&group),
            (Some(RDKafkaErrorCode::TopicAuthorizationFailed), Some(topic)) => Act::Read(topic),
            (Some(RDKafkaErrorCode::TopicAuthorizationFailed), None) => Act::ReadOneOf(&topics),
            _ => return false,
        };
        let act = Box::new(self.link.not_allowed(act));
        if self.began.elapsed() < REFUSED_AT_START {
            self.failed = Some(ConsumerError::NotAllowed { group, act });
        } else {
            self.link.say(&act.what, format_args!("{act}; trying again"));
        }
        true
    }

    fn begin_stop(&mut self) {
        self.stopping = Some(Instant::now() + STOP_DRAIN);
        for partition in &self.partitions {
            partition.drain();
        }
    }

    /// Whether a stopping consumer may end: everything has, or the time is up.
    fn has_drained(&mut self) -> bool {
        if self.partitions.iter().all(|partition| partition.outstanding == 0) {
            return true;
        }
        let late = self.stopping.is_some_and(|deadline| Instant::now() >= deadline);
        if late {
            let running: usize = self.partitions.iter().map(|p| p.outstanding).sum();
            tracing::warn!(
                group = self.group.name,
                running,
                "handlers still ran {} s after the stop: cancelled, their events run again",
                STOP_DRAIN.as_secs(),
            );
        }
        late
    }

    /// Commits, unless it was aborted, and leaves; a static member keeps its place in the group.
    fn end(mut self) {
        if self.stopping.is_some() {
            self.commit_now();
        }
        for partition in &self.partitions {
            partition.cancel();
        }
        self.client.context().close();
        // Queues hold the client; its last owner closes it, which serves callbacks until then.
        self.partitions.clear();
        self.courier.end();
        if !close::within(CLOSE_MAX, self.client) {
            tracing::warn!(
                group = self.group.name,
                "the client did not close within {} s: it is left behind, committed as it was",
                CLOSE_MAX.as_secs(),
            );
        }
    }

    fn idle_wait(&self) -> Duration {
        let due = self.commits.due_in();
        due.map_or(IDLE_WAIT, |due| due.clamp(Duration::from_millis(1), IDLE_WAIT))
    }
}

/// The name of a group's check in `/readyz?verbose`.
fn check_name(group: &Group) -> String {
    format!("{GROUP_CHECK}{}", group.name)
}
