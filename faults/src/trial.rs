//! One trial: producers, a group of consumers and a witness at work on a broker that is killed and
//! whose network is hurt; then calm, and the checker's judgement on all that was seen.

mod consumers;
mod drain;
mod payload;
mod producers;
mod report;
mod witness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use report::Report;

use crate::Outcome;
use crate::history::{Place, Recorder, check};
use crate::kill::{Schedule, Victim};
use crate::proxy::{Proxy, Rules};
use crate::wire::Wire;

/// The group whose committed positions are watched.
const GROUP: &str = "faults";
/// How long, once all is calm, producers, consumers and the drain may take.
const CALM_LIMIT: Duration = Duration::from_secs(90);
/// A trial that counts faults ends after so long even if there were fewer.
const PROXY_LIMIT: Duration = Duration::from_secs(900);

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Everything that is decided by chance follows from it.
    pub seed: u64,
    /// The broker's command line; without one the broker runs already and is not killed.
    pub command: Vec<String>,
    /// Where the broker listens.
    pub broker: SocketAddr,
    /// Where the proxy listens; the broker has to advertise that. Without it there is none.
    pub via: Option<SocketAddr>,
    /// What the proxy does.
    pub rules: Rules,
    /// How many kills.
    pub kills: u32,
    /// How long the broker lives until each, in milliseconds.
    pub kill_ms: std::ops::Range<u64>,
    /// Go on until the proxy did so many faults.
    pub proxy_faults: u64,
    /// Work so long if nothing else sets the end.
    pub work: Duration,
    /// Producers, each a client of its own.
    pub producers: u16,
    /// Consumers of the group.
    pub consumers: u16,
    /// Topics.
    pub topics: u16,
    /// Partitions of each.
    pub partitions: u16,
    /// Records per second and producer.
    pub rate: u64,
    /// Bytes of a record's value.
    pub value_bytes: usize,
    /// First fill the logs with so many records, as fast as it goes.
    pub fill: u64,
    /// Whether the end of the log in an answer holds for the records of the same answer. Apache
    /// Kafka takes down the end first, and may send records that became visible in between.
    pub strict_end: bool,
    /// Where the broker's words go.
    pub log: PathBuf,
    /// Where the history is written if something is wrong with it.
    pub history: Option<PathBuf>,
}

/// What all the workers of a trial share.
#[derive(Debug)]
struct Field {
    plan: Plan,
    recorder: Recorder,
    bootstrap: String,
    stop_producers: AtomicBool,
    stop_readers: AtomicBool,
    acknowledged: AtomicU64,
    unanswered: AtomicU64,
    fill_up: AtomicBool,
}

impl Field {
    fn topic(&self, number: u16) -> String {
        format!("faults-{number}")
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        let partitions = self.plan.partitions;
        (0..self.plan.topics)
            .flat_map(move |topic| (0..partitions).map(move |partition| Place { topic, partition }))
    }

    fn place(&self, topic: &str, partition: i32) -> Option<Place> {
        let topic = topic.strip_prefix("faults-")?.parse().ok()?;
        Some(Place { topic, partition: u16::try_from(partition).ok()? })
    }
}

/// Carries a plan out.
///
/// # Errors
/// What kept it from being carried out, such as a broker that does not start. What the broker did
/// wrong is in the report.
pub fn run(plan: Plan) -> Outcome<Report> {
    let mut victim = (!plan.command.is_empty())
        .then(|| Victim::new(plan.command.clone(), plan.broker, plan.log.clone()));
    if let Some(victim) = &mut victim {
        victim.start()?;
    }
    let proxy = match plan.via {
        Some(via) => Some(Proxy::start(via, plan.broker, plan.rules.clone(), plan.seed)?),
        None => None,
    };
    let bootstrap = plan.via.unwrap_or(plan.broker).to_string();
    let field = Arc::new(Field {
        bootstrap,
        recorder: Recorder::default(),
        stop_producers: AtomicBool::new(false),
        stop_readers: AtomicBool::new(false),
        acknowledged: AtomicU64::new(0),
        unanswered: AtomicU64::new(0),
        fill_up: AtomicBool::new(plan.fill > 0),
        plan,
    });
    create_topics(&field)?;
    thread::scope(|scope| {
        let field = &*field;
        let mut readers = vec![scope.spawn(move || witness::run(field))];
        readers.extend(
            (1..=field.plan.consumers)
                .map(|reader| scope.spawn(move || consumers::run(field, reader))),
        );
        let senders: Vec<_> = (0..field.plan.producers)
            .map(|producer| scope.spawn(move || producers::run(field, producer)))
            .collect();
        let hurt = hurt(field, victim.as_mut(), proxy.as_ref());
        if let Some(proxy) = &proxy {
            proxy.calm();
        }
        field.stop_producers.store(true, Ordering::SeqCst);
        let sent = joined(senders);
        let caught_up = hurt.is_ok() && sent.is_ok() && drain::group_catches_up(field)?;
        field.stop_readers.store(true, Ordering::SeqCst);
        joined(readers)?;
        sent?;
        let ready = hurt?;
        drain::keep(field)?;
        let history = field.recorder.take();
        let findings = check(&history);
        let report = Report::new(field, &history, findings, ready, proxy.as_ref(), caught_up);
        report.keep(&history, field.plan.history.as_deref())?;
        if let Some(victim) = &mut victim {
            victim.stop()?;
        }
        Ok(report)
    })
}

fn joined(threads: Vec<thread::ScopedJoinHandle<'_, Outcome>>) -> Outcome {
    let mut outcome = Ok(());
    for thread in threads {
        let ended = thread.join().unwrap_or_else(|_| Err("a thread of the trial panicked".into()));
        outcome = outcome.and(ended);
    }
    outcome
}

/// Kills, or waits for the proxy to have hurt enough; the answer is how long each restart took.
fn hurt(
    field: &Field,
    victim: Option<&mut Victim>,
    proxy: Option<&Proxy>,
) -> Outcome<Vec<Duration>> {
    let plan = &field.plan;
    let began = Instant::now();
    while field.acknowledged.load(Ordering::Relaxed) < plan.fill {
        if began.elapsed() > PROXY_LIMIT {
            return Err(format!("the log is not filled after {PROXY_LIMIT:?}").into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    field.fill_up.store(false, Ordering::SeqCst);
    let mut ready = Vec::new();
    if let Some(victim) = victim {
        let mut schedule = Schedule::new(plan.seed, plan.kill_ms.clone());
        for _ in 0..plan.kills {
            thread::sleep(schedule.next_life());
            victim.kill()?;
            ready.push(victim.start()?);
        }
    }
    let began = Instant::now();
    let faults = || proxy.map_or(0, |proxy| proxy.counts().total());
    while faults() < plan.proxy_faults && began.elapsed() < PROXY_LIMIT {
        thread::sleep(Duration::from_millis(20));
    }
    if plan.kills == 0 && plan.proxy_faults == 0 {
        thread::sleep(plan.work);
    }
    Ok(ready)
}

fn create_topics(field: &Field) -> Outcome {
    let deadline = Instant::now() + CALM_LIMIT;
    for topic in 0..field.plan.topics {
        let name = field.topic(topic);
        loop {
            let created = Wire::connect(field.plan.broker)
                .map_err(Into::into)
                .and_then(|mut wire| wire.create_topic(&name, field.plan.partitions.into()));
            match created {
                Ok(()) => break,
                // A broker that has just started may not have taken up its duties.
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
