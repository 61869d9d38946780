//! A rebalance storm: members of one consumer group join, leave and die while records flow, and
//! afterwards their histories are read. Each member is a Tidings service in a process of its own,
//! so that its death is one.
//!
//! Kafka checks that a committer is a member, not that it owns what it commits: that no work is
//! skipped or handled by two at once when partitions move is the library's discipline alone. It is
//! judged here by what the members wrote down and by what the broker says of the group.

mod check;
mod churn;
mod history;
mod load;
mod member;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use self::check::Verdict;
use self::churn::Churn;
use self::load::Load;
pub use self::member::{MemberArgs, run as member};
use crate::Outcome;

const TOPIC: &str = "storm";
const PARTITIONS: usize = 24;
/// Members at the start and at most.
const MEMBERS: usize = 20;
/// Below so many, members only join.
const FEWEST: usize = 12;
const RECORDS_PER_SECOND: u64 = 600;
/// A dead member is missed after this long, and until then every rebalance waits for it. Apache
/// Kafka has to be told to allow less than six seconds (`group.min.session.timeout.ms`).
const SESSION: Duration = Duration::from_millis(2_000);
/// How soon members hear of a rebalance; librdkafka's own 3 s would be most of the time to settle.
const HEARTBEAT: Duration = Duration::from_millis(400);
/// Who dies while it waits for a rebalance is missed only in the generation that this brings.
const DEATHS_END_BEFORE: Duration = Duration::from_millis(6_000);
/// What settling shall take, and what fails a run on a machine that does other things as well.
const SETTLE_GOAL: Duration = Duration::from_secs(2);
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
/// All records handled and committed, after the last member came or went.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(60);

/// How partitions move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Everybody gives everything back first (range, round robin).
    Eager,
    /// Only what moves is given back (KIP-429).
    Cooperative,
    /// Cooperative, with names that stay (KIP-345): whoever dies or leaves comes back as itself.
    Static,
}

impl Protocol {
    fn strategy(self) -> &'static str {
        match self {
            Self::Eager => "range,roundrobin",
            Self::Cooperative | Self::Static => "cooperative-sticky",
        }
    }
}

/// Flags of `faults storm`.
#[derive(Debug, Clone, Args)]
pub struct StormArgs {
    /// The broker, with no topic `storm` on it
    #[arg(long)]
    bootstrap: String,
    /// How partitions move
    #[arg(long, value_enum)]
    protocol: Protocol,
    /// How long members come and go
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Who comes and goes when
    #[arg(long)]
    seed: u64,
    /// Where the members write their histories; emptied first
    #[arg(long)]
    dir: PathBuf,
}

/// Runs one storm and judges it.
///
/// # Errors
/// When a rule was broken, or the storm could not be made.
pub fn run(args: &StormArgs) -> Outcome {
    if args.dir.exists() {
        std::fs::remove_dir_all(&args.dir)?;
    }
    std::fs::create_dir_all(&args.dir)?;
    load::create_topic(&args.bootstrap, TOPIC, PARTITIONS)?;
    let group = format!("storm-{:?}", args.protocol).to_lowercase();
    let mut churn = Churn::begin(args, &group)?;
    let load = Load::start(&args.bootstrap, TOPIC, &group, PARTITIONS)?;

    let until = Instant::now() + Duration::from_secs(args.seconds);
    while Instant::now() < until {
        churn.step(Instant::now() + DEATHS_END_BEFORE < until)?;
    }
    churn.everybody_has_come_or_gone()?;
    let calm_at = history::now();
    let produced = load.stop()?;

    let caught_up = quiet(args, &group, &produced.ends, &mut churn)?;
    let counts = churn.end()?;
    let members = history::read_all(&args.dir)?;
    let verdict = check::judge(&members, &produced.ends, calm_at, caught_up.before_stop);
    report(args, &counts, &produced, &caught_up, &verdict)
}

/// How the storm died down.
struct CaughtUp {
    after: Duration,
    committed: Vec<i64>,
    /// What is written later belongs to the members' orderly end.
    before_stop: u64,
}

/// Waits until the group has committed everything and nobody has written anything for a while.
fn quiet(args: &StormArgs, group: &str, ends: &[i64], churn: &mut Churn) -> Outcome<CaughtUp> {
    let began = Instant::now();
    let asks = load::group_client(&args.bootstrap, group)?;
    let mut caught_up = None;
    let (mut bytes, mut since) = (0, Instant::now());
    loop {
        churn.must_live()?;
        let committed = load::committed(&asks, TOPIC, PARTITIONS);
        if caught_up.is_none() && committed.as_deref().is_ok_and(|now| now == ends) {
            caught_up = Some(began.elapsed());
        }
        let now = history::bytes(&args.dir)?;
        if now != bytes {
            (bytes, since) = (now, Instant::now());
        }
        let is_late = began.elapsed() > CATCH_UP_LIMIT;
        if is_late || (caught_up.is_some() && since.elapsed() > HEARTBEAT * 5) {
            let committed = committed.unwrap_or_default();
            let after = caught_up.unwrap_or(CATCH_UP_LIMIT);
            return Ok(CaughtUp { after, committed, before_stop: history::now() });
        }
        // A question to the broker costs more than this pause.
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn report(
    args: &StormArgs,
    counts: &churn::Counts,
    produced: &load::Produced,
    caught_up: &CaughtUp,
    verdict: &Verdict,
) -> Outcome {
    let mut broken = Vec::new();
    let mut row = |name: &str, value: String, goal: &str, holds: bool| {
        let mark = if holds { "" } else { "  <- FAILED" };
        println!("  {name:<52}{value:<12}{goal}{mark}");
        if !holds {
            broken.push(format!("{name}: {value}"));
        }
    };
    println!("rebalance storm, {:?}, {} s, seed {}", args.protocol, args.seconds, args.seed);
    let churn::Counts { started, left, killed } = counts;
    let who = format!("{started} / {left} / {killed}");
    row("members that joined / left / were killed", who, "", true);
    row("times that a partition was taken", verdict.taken.to_string(), "", true);
    row("times that one was lost", verdict.lost_partitions.to_string(), "", true);
    let total: i64 = produced.ends.iter().sum();
    row("records", total.to_string(), "", total > 0);
    row("records that nobody handled", verdict.lost.to_string(), "0", verdict.lost == 0);
    let all = caught_up.committed == produced.ends;
    row("committed to the end", all.to_string(), "true", all);
    let back = produced.went_back;
    row("committed offsets seen going back at the broker", back.to_string(), "0", back == 0);
    for rule in &verdict.rules {
        row(rule.name, rule.broken.to_string(), "0", rule.broken == 0);
        rule.examples.iter().for_each(|example| println!("      {example}"));
    }
    row("handled again, in all", verdict.again.to_string(), "", true);
    row("... of them after an orderly handover", verdict.again_in_order.to_string(), "", true);
    let refused = verdict.commits_refused.to_string();
    row("commits that the broker refused", refused, "", true);
    let stuck = history::logs_that_say(&args.dir, "did not close within")?;
    row("clients left behind at the end", stuck.to_string(), "0 (told, not judged)", true);
    let settled = verdict.settled_after;
    let goal = format!("{SETTLE_GOAL:?} (limit {SETTLE_LIMIT:?})");
    row("settled after", format!("{settled:.2?}"), &goal, settled <= SETTLE_LIMIT);
    row("everything committed after", format!("{:.2?}", caught_up.after), "", true);
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ").into()) }
}

/// The history of one member, below `dir`.
fn history_of(dir: &Path, member: usize) -> PathBuf {
    dir.join(format!("member-{member}.jsonl"))
}
