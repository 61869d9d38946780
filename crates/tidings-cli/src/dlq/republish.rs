//! `tidings dlq republish ... --to TOPIC`: publishes dead letters again, for those of services
//! without a store and of other frameworks. Each is marked as done behind its acknowledgement, so
//! that a run that was interrupted goes on where it stopped. Parked events are not for this: their
//! own handler takes them, in the order of their key.

mod selection;
mod work;

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tidings::EventId;

use self::selection::Selection;
use self::work::{Work, Worked};
use super::groups;
use super::letter::counted;
use super::ls::ShortIds;
use super::meant::Which;
use super::topics::looks_like_dead_letters;
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::{Exit, Failure};
use crate::output::{self, Screen};
use crate::{limits, settings, signals};

/// Flags of `tidings dlq republish`.
#[derive(Debug, clap::Args)]
pub struct RepublishArgs {
    #[command(flatten)]
    which: Which,
    /// The topic to publish to: usually the one that they came from
    #[arg(long, value_name = "TOPIC")]
    to: String,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Show what would be published, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Republishes.
pub fn run(args: &RepublishArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    check_target(&cluster, args)?;
    let selection = Selection::of(&cluster, args, screen)?;
    let mut worked = Worked::default();
    let id = EventId::random();
    if selection.letters.is_empty() {
        return nothing(args, &selection);
    }
    if !args.json {
        output::print(&preview(args, &selection, screen))?;
    }
    if args.dry_run {
        return match args.json {
            true => output::json(to_json(args, &selection, &worked, None)),
            false => output::line("nothing was changed (--dry-run)"),
        };
    }
    confirm(args, &selection)?;
    signals::note_interrupt();
    let settings = settings::load(global)?;
    let work = Work { cluster: &cluster, settings: &settings, to: &args.to, id: &id };
    let bar = screen.progress_bar(selection.letters.len() as u64, "republishing");
    let began = std::time::Instant::now();
    let outcome = work.run(&selection.letters, &bar, &mut worked);
    bar.finish_and_clear();
    if args.json {
        output::json(to_json(args, &selection, &worked, Some(&id)))?;
    }
    finish(args, &selection, &worked, &id, began.elapsed(), outcome)
}

/// A wrong name should not become a topic, and a dead letter that is published among dead letters
/// would only look like one that failed again.
fn check_target(cluster: &Cluster, args: &RepublishArgs) -> Result<(), Failure> {
    if looks_like_dead_letters(&args.to) || args.which.all_of.as_ref() == Some(&args.to) {
        return Err(Failure::usage(format!("`{}` is a topic of dead letters", args.to))
            .help("name the topic that their events came from:  --to TOPIC"));
    }
    cluster.partitions(&args.to).map(drop)
}

/// Nothing is left to be published: because all of it was, or because none of it may be.
fn nothing(args: &RepublishArgs, selection: &Selection) -> Result<(), Failure> {
    if selection.parked > 0 || selection.without_data > 0 {
        let mut failure = Failure::new("none of these can be republished").exit(Exit::NotAllowed);
        for reason in left_out(selection) {
            failure = failure.because(reason);
        }
        return Err(failure.help("see how each stands:  tidings dlq ls"));
    }
    if args.json {
        return output::json(to_json(args, selection, &Worked::default(), None));
    }
    output::line(&match selection.over {
        0 => "nothing to republish".to_owned(),
        n => format!("nothing to republish: {}", is_over(n)),
    })
}

fn is_over(n: usize) -> String {
    format!("{} {} over already", counted(n), if n == 1 { "is" } else { "are" })
}

/// Why some of what was asked for stays where it is.
fn left_out(selection: &Selection) -> Vec<String> {
    let mut lines = Vec::new();
    if selection.parked > 0 {
        lines.push(format!(
            "{} parked with a store: tidings dlq redrive lets their own handler take them again; \
             published again they would land behind later events of their key",
            number_of(selection.parked),
        ));
    }
    if selection.without_data > 0 {
        lines.push(format!(
            "{} without data: a copy of a too large event, or a tombstone, which would delete",
            number_of(selection.without_data),
        ));
    }
    if selection.over > 0 {
        lines.push(is_over(selection.over));
    }
    if selection.beyond > 0 {
        lines.push(format!("{} beyond --limit", number_of(selection.beyond)));
    }
    lines
}

fn number_of(n: usize) -> String {
    format!("{} {}", counted(n), if n == 1 { "is" } else { "are" })
}

/// What would be published, of how many kinds, and what that means.
fn preview(args: &RepublishArgs, selection: &Selection, screen: &Screen) -> String {
    let letters = &selection.letters;
    let mut text =
        format!("{} to {}\n\n", screen.bold(&counted(letters.len())), screen.bold(&args.to));
    let kinds = groups::together(letters.iter());
    let shown = &kinds[..kinds.len().min(limits::DEAD_LETTER_LINES)];
    for line in groups::table(shown, &ShortIds::of(letters), &TimeZone::system()).lines() {
        text.push_str(&screen.fit(line));
        text.push('\n');
    }
    if let Some(more) = kinds.len().checked_sub(shown.len()).filter(|more| *more > 0) {
        text.push_str(&format!("  and {more} more kinds\n"));
    }
    text.push_str(&format!(
        "\nunordered: each lands behind what its key has had meanwhile, and every group that reads \
         {} gets it\n",
        args.to
    ));
    for line in left_out(selection) {
        text.push_str(&format!("left out: {line}\n"));
    }
    if let Some(remark) = &selection.remark {
        text.push_str(&format!("{remark}\n"));
    }
    text
}

fn confirm(args: &RepublishArgs, selection: &Selection) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let question = format!("republish {} to {}?", counted(selection.letters.len()), args.to);
    match output::ask(&question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new("nothing was changed").exit(Exit::NotAllowed)),
        None => Err(Failure::usage("nothing was changed: there is no terminal to ask on")
            .help("to do it without asking:  --yes")),
    }
}

/// Says how far it got.
fn finish(
    args: &RepublishArgs,
    selection: &Selection,
    worked: &Worked,
    id: &EventId,
    took: Duration,
    outcome: Result<(), Failure>,
) -> Result<(), Failure> {
    let all = selection.letters.len();
    let so_far = format!(
        "{} of {} were republished to {} and marked as done",
        output::grouped(worked.done as i64),
        counted(all),
        args.to
    );
    const GOES_ON: &str = "run it again: it goes on where it stopped";
    if let Err(failure) = outcome {
        let exit = if worked.done > 0 { Exit::Partly } else { failure.code() };
        return Err(failure.because(so_far).help(GOES_ON).exit(exit));
    }
    if worked.interrupted {
        return Err(Failure::new("interrupted")
            .because(so_far)
            .help(GOES_ON)
            .exit(Exit::Interrupted));
    }
    if worked.done < all {
        let mut failure = Failure::new(so_far).exit(Exit::Partly);
        for reason in worked.refused.iter().take(limits::BAD_LINES_SHOWN as usize) {
            failure = failure.because(output::printable(reason));
        }
        return Err(failure);
    }
    if args.json {
        return Ok(());
    }
    output::line(&format!(
        "republished {} to {} in {}, as redrive {}",
        counted(worked.done),
        args.to,
        output::duration(took),
        id
    ))
}

fn to_json(
    args: &RepublishArgs,
    selection: &Selection,
    worked: &Worked,
    id: Option<&EventId>,
) -> Value {
    let kinds: Vec<Value> = groups::together(selection.letters.iter())
        .iter()
        .map(|group| {
            json!({
                "fingerprint": group.fingerprint,
                "count": group.count,
                "sentence": group.sentence(),
            })
        })
        .collect();
    json!({
        "to": args.to,
        "dry_run": args.dry_run,
        "redrive_id": id.map(EventId::as_str),
        "selected": selection.letters.len(),
        "republished": worked.done,
        "refused": worked.refused,
        "left_out": {
            "parked": selection.parked,
            "over": selection.over,
            "without_data": selection.without_data,
            "beyond_limit": selection.beyond,
        },
        "kinds": kinds,
    })
}
