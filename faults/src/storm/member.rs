//! One member of the group: a Tidings service that writes down what it does. Its handler writes a
//! line for each record; takings, givings and commits are what the library logs about them.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use tidings::config::{Origin, Settings, Sources};
use tidings::prelude::*;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::history::{self, Recorder, What};
use super::{HEARTBEAT, SESSION};
use crate::Outcome;

/// Flags of `faults storm-member`, which `faults storm` starts.
#[derive(Debug, Clone, Args)]
pub struct MemberArgs {
    #[arg(long)]
    bootstrap: String,
    #[arg(long)]
    group: String,
    #[arg(long)]
    strategy: String,
    /// A name that stays, for a static member
    #[arg(long)]
    instance: Option<String>,
    /// Where it writes what it does
    #[arg(long)]
    history: PathBuf,
}

/// What the storm is made of.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(type = "com.example.drop.fell", version = 1, topic = "storm", key = key)]
pub(super) struct Drop {
    pub(super) key: u32,
}

/// Long enough that something is always in work when partitions move.
async fn catch(drop: Drop, meta: Meta, State(recorder): State<Recorder>) -> Result<(), Fail> {
    let offset = meta.address.offset.0;
    tokio::time::sleep(Duration::from_millis(1 + offset.unsigned_abs() % 5)).await;
    let partition = usize::try_from(meta.address.partition.0).or_retry()?;
    recorder.write(What::Handled { partition, offset, key: drop.key });
    Ok(())
}

/// Runs until SIGTERM.
///
/// # Errors
/// When the service cannot start, or has to stop by itself.
pub fn run(args: &MemberArgs) -> Outcome {
    let recorder = Recorder::create(&args.history)?;
    // For people who ask why: warnings and news on standard error.
    let filter = tracing_subscriber::EnvFilter::new("info,librdkafka=error,rdkafka=error");
    let text = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(Witness(recorder.clone()))
        .with(text.with_filter(filter))
        .init();

    let mut settings = Settings::load(Sources::default())?;
    let mut set = |name: &str, value: &str| settings.set(name, value, Origin::Code);
    set("bootstrap", &args.bootstrap)?;
    set("partition.assignment.strategy", &args.strategy)?;
    set("session.timeout.ms", &SESSION.as_millis().to_string())?;
    set("heartbeat.interval.ms", &HEARTBEAT.as_millis().to_string())?;
    if let Some(instance) = &args.instance {
        set("instance", instance)?;
    }
    let service =
        Service::new(&args.group).settings(settings).state(recorder).on("catch", catch).run();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(service)?;
    Ok(())
}

/// Writes down what the library's consumer logs about its group.
struct Witness(Recorder);

impl<S: tracing::Subscriber> Layer<S> for Witness {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with("tidings::consumer") {
            return;
        }
        let mut seen = Seen::default();
        event.record(&mut seen);
        if let Some(what) = seen.what() {
            self.0.write(what);
        }
    }
}

/// The fields of one log event that matter here.
#[derive(Debug, Default)]
struct Seen {
    message: String,
    partition: usize,
    assignment: u64,
    from: i64,
    lost: bool,
    offsets: String,
    error: Option<String>,
}

impl Seen {
    fn what(self) -> Option<What> {
        let Seen { message, partition, assignment, from, lost, offsets, error } = self;
        let offsets = history::offsets(&offsets);
        match message.as_str() {
            "took a partition" => Some(What::Took { partition, assignment, from }),
            "gave a partition back" => Some(What::Gave { partition, assignment, lost }),
            "commit sent" => Some(What::CommitSent { offsets }),
            "commit answered" => Some(What::CommitAnswered { offsets, error }),
            _ => None,
        }
    }
}

impl Visit for Seen {
    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "partition" => self.partition = usize::try_from(value).unwrap_or(usize::MAX),
            "from" => self.from = value,
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "assignment" {
            self.assignment = value;
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "lost" {
            self.lost = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "offsets" => self.offsets = format!("{value:?}"),
            "error" => self.error = Some(format!("{value:?}")),
            _ => {}
        }
    }
}
