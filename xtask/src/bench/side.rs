//! The two sides of a comparison: brokers and limits as processes, each on its core.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::Value;

use super::Plan;
use crate::kafka::{self, Kafka};
use crate::process::Owned;
use crate::tidings::{self, Broker};
use crate::{Outcome, load};

const BROKER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;
/// A warm Kafka has seen so many messages before it is measured: Java compiles while it runs.
const WARM_UP_MESSAGES: &str = "1500000";
const QUICK_WARM_UP_MESSAGES: &str = "50000";

/// Whether brokers and clients may get into each other's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cores {
    /// The broker on one core, the client on the other.
    Apart,
    /// Wherever the kernel puts them.
    Any,
}

/// What is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Process,
    Power,
    Kafka,
    KafkaFsync,
    /// librdkafka's mock broker: a client's limit in producing.
    Null,
}

/// A process that is measured, ended when dropped.
pub(super) struct Side {
    pub(super) bootstrap: String,
    pub(super) pid: u32,
    cores: Cores,
    process: Held,
    data: Option<PathBuf>,
}

/// Its process; dropping it ends it.
enum Held {
    Ours { _broker: Broker },
    Kafka(Kafka),
    Helper { _process: Owned },
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Process => "embedded, `process`",
            Self::Power => "embedded, `power`",
            Self::Kafka => "Apache Kafka, page cache",
            Self::KafkaFsync => "Apache Kafka, fsync per message set",
            Self::Null => "null broker",
        }
    }

    pub(super) fn start(self, plan: &Plan, cores: Cores) -> Outcome<Side> {
        match self {
            Self::Process => Side::ours(plan, "process", cores),
            Self::Power => Side::ours(plan, "power", cores),
            Self::Kafka => Side::kafka(plan, &[], cores),
            Self::KafkaFsync => Side::kafka(plan, &["log.flush.interval.messages=1"], cores),
            Self::Null => Side::helper(plan, &["null-broker", "--partitions", "1,12"], cores),
        }
    }
}

impl Side {
    fn ours(plan: &Plan, level: &str, cores: Cores) -> Outcome<Self> {
        let data = tidings::fresh_dir(&format!("bench/data-{level}"))?;
        let start = || Broker::start(&plan.tidings, &data.join("data"), &["--durability", level]);
        let broker = on_core(BROKER_CORE, cores, start)?;
        Ok(Self {
            bootstrap: broker.bootstrap().to_owned(),
            pid: broker.pid(),
            cores,
            process: Held::Ours { _broker: broker },
            data: Some(data),
        })
    }

    /// Apache Kafka, warm; what it deletes it deletes at once, and it looks for nothing else to do.
    fn kafka(plan: &Plan, settings: &[&str], cores: Cores) -> Outcome<Self> {
        let quiet = ["log.segment.delete.delay.ms=0", "log.retention.check.interval.ms=300000"];
        let settings = [settings, &quiet].concat().into_iter().map(str::to_owned).collect();
        let options = kafka::Options { settings, ..Default::default() };
        let kafka = on_core(BROKER_CORE, cores, || Kafka::start(&options))?;
        let side = Self {
            bootstrap: kafka.bootstrap(),
            pid: kafka.pid(),
            cores,
            process: Held::Kafka(kafka),
            data: None,
        };
        let messages = if plan.quick { QUICK_WARM_UP_MESSAGES } else { WARM_UP_MESSAGES };
        for size in ["1024", "256"] {
            side.with_topic(plan, "warm-up", 1, |topic| {
                let words = ["produce", "--topic", topic, "--size", size, "--messages", messages];
                side.load(plan, &words)?;
                side.load(plan, &["consume", "--topic", topic])
            })?;
        }
        Ok(side)
    }

    /// A command of the load program that prints `listening` and serves.
    pub(super) fn helper(plan: &Plan, words: &[&str], cores: Cores) -> Outcome<Self> {
        let child = on_core(BROKER_CORE, cores, || {
            let mut command = Command::new(&plan.load);
            Ok(command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?)
        })?;
        let pid = child.id();
        let mut process = Owned::new(child);
        let stdout = process.child().stdout.take().ok_or("a helper without standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let bootstrap = line.strip_prefix("listening ").map(str::trim);
        let bootstrap = bootstrap.ok_or_else(|| format!("`load {}` does not serve", words[0]))?;
        let bootstrap = bootstrap.to_owned();
        Ok(Self { bootstrap, pid, cores, process: Held::Helper { _process: process }, data: None })
    }

    /// One measurement by the load program, on the other core.
    pub(super) fn load(&self, plan: &Plan, words: &[&str]) -> Outcome<Value> {
        on_core(CLIENT_CORE, self.cores, || load::run(&plan.load, &self.bootstrap, words))
    }

    pub(super) fn create(&self, plan: &Plan, topic: &str, partitions: usize) -> Outcome {
        let partitions = partitions.to_string();
        self.tidings(plan, &["topic", "create", topic, "--partitions", &partitions])
    }

    /// A topic that is there while `measure` runs. Deleting it gives its pages back, so that the
    /// next topic does not need pages that nobody has touched.
    pub(super) fn with_topic<T>(
        &self,
        plan: &Plan,
        topic: &str,
        partitions: usize,
        measure: impl FnOnce(&str) -> Outcome<T>,
    ) -> Outcome<T> {
        self.create(plan, topic, partitions)?;
        let measured = measure(topic);
        self.tidings(plan, &["topic", "delete", topic, "--yes"])?;
        measured
    }

    fn tidings(&self, plan: &Plan, words: &[&str]) -> Outcome {
        let output =
            Command::new(&plan.tidings).args(words).args(["--bootstrap", &self.bootstrap]).output();
        let output = output?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("`tidings {}` failed: {said}", words.join(" ")).into())
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Held::Kafka(kafka) = &mut self.process {
            let _ended = kafka.stop();
        }
        if let Some(data) = &self.data {
            let _gone = std::fs::remove_dir_all(data);
        }
    }
}

/// Runs `start` on one core: what it starts stays there.
pub(super) fn on_core<T>(
    core: usize,
    cores: Cores,
    start: impl FnOnce() -> Outcome<T>,
) -> Outcome<T> {
    let this_thread = Pid::from_raw(0);
    let before = sched_getaffinity(this_thread)?;
    let two = before.is_set(BROKER_CORE)? && before.is_set(CLIENT_CORE)?;
    if cores == Cores::Any || !two {
        return start();
    }
    let mut one = CpuSet::new();
    one.set(core)?;
    sched_setaffinity(this_thread, &one)?;
    let started = start();
    sched_setaffinity(this_thread, &before)?;
    started
}

/// A measurement by the load program that needs no broker, on the client's core.
pub(super) fn alone(plan: &Plan, cores: Cores, words: &[&str]) -> Outcome<Value> {
    on_core(CLIENT_CORE, cores, || load::run(&plan.load, "127.0.0.1:1", words))
}
