//! A consumer in a group, on a thread or in a process of its own, that says what it owns.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};

/// The session timeout of these members.
pub(super) const SESSION: Duration = Duration::from_millis(1_500);

/// How often they give a sign of life.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(100);

const BOOTSTRAP: &str = "TIDINGS_TEST_MEMBER_BOOTSTRAP";
const GROUP: &str = "TIDINGS_TEST_MEMBER_GROUP";

/// Waits for something to become true; panics after 20 s.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A member of a group that reads the topic `t`.
pub(super) struct Member {
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    owned: Mutex<BTreeSet<i32>>,
    /// The fewest partitions that it owned since it owned any.
    fewest: Mutex<Option<usize>>,
    rebalances: AtomicUsize,
    stop: AtomicBool,
}

impl Member {
    pub(super) fn start(bootstrap: &str, group: &str, settings: &[(&str, &str)]) -> Member {
        let seen = Arc::new(Seen::default());
        let consumer = consumer(bootstrap, group, settings, seen.clone());
        let thread = std::thread::spawn({
            let seen = seen.clone();
            move || run(&consumer, &seen)
        });
        Member { seen, thread: Some(thread) }
    }

    /// The partitions that it owns now.
    pub(super) fn owns(&self) -> BTreeSet<i32> {
        self.seen.owned.lock().unwrap().clone()
    }

    /// How often it was told of another assignment.
    pub(super) fn rebalances(&self) -> usize {
        self.seen.rebalances.load(Ordering::SeqCst)
    }

    /// The fewest partitions that it owned since it first owned any.
    pub(super) fn fewest_since_first(&self) -> usize {
        self.seen.fewest.lock().unwrap().unwrap_or(0)
    }

    /// Closes the consumer: it leaves the group, unless it is a static member.
    pub(super) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.seen.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the member's thread panicked");
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end();
    }
}

struct Context(Arc<Seen>);

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // The client is not asked what it has: while it closes, it may never answer. An eager
        // protocol gives and takes all, a cooperative one what changes.
        let mut owned = self.0.owned.lock().unwrap();
        match rebalance {
            Rebalance::Assign(given) => {
                self.0.rebalances.fetch_add(1, Ordering::SeqCst);
                owned.extend(given.elements().iter().map(|e| e.partition()));
            }
            Rebalance::Revoke(taken) => {
                for taken in taken.elements() {
                    owned.remove(&taken.partition());
                }
            }
            Rebalance::Error(_) => owned.clear(),
        }
        let mut fewest = self.0.fewest.lock().unwrap();
        if fewest.is_some() || !owned.is_empty() {
            *fewest = Some(fewest.unwrap_or(usize::MAX).min(owned.len()));
        }
    }
}

fn consumer(
    bootstrap: &str,
    group: &str,
    settings: &[(&str, &str)],
    seen: Arc<Seen>,
) -> BaseConsumer<Context> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("session.timeout.ms", SESSION.as_millis().to_string())
        .set("heartbeat.interval.ms", HEARTBEAT.as_millis().to_string())
        .set("enable.auto.commit", "false");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    let consumer: BaseConsumer<Context> =
        config.create_with_context(Context(seen)).expect("a consumer");
    consumer.subscribe(&["t"]).expect("a subscription");
    consumer
}

fn run(consumer: &BaseConsumer<Context>, seen: &Seen) {
    while !seen.stop.load(Ordering::SeqCst) {
        // Errors are what librdkafka retries by itself; the test sees what comes of it.
        let _ = consumer.poll(Duration::from_millis(20));
    }
}

/// Starts this test binary again as a member, so that it can be killed.
pub(super) fn start_process(bootstrap: &str, group: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["groups::member_process", "--exact"])
        .env(BOOTSTRAP, bootstrap)
        .env(GROUP, group)
        .stdout(Stdio::null())
        .spawn()
        .expect("a process")
}

/// In such a process: is a member until killed, or for a minute if nobody does.
pub(super) fn run_if_process() {
    let (Ok(bootstrap), Ok(group)) = (std::env::var(BOOTSTRAP), std::env::var(GROUP)) else {
        return;
    };
    let seen = Arc::new(Seen::default());
    let consumer = consumer(&bootstrap, &group, &[], seen.clone());
    let orphan = Instant::now() + Duration::from_secs(60);
    while Instant::now() < orphan {
        let _ = consumer.poll(Duration::from_millis(20));
    }
}
