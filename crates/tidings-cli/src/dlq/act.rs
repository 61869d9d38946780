//! `tidings dlq redrive` and `tidings dlq discard`: asks the service that has parked an event to
//! try it again, or to give it up. What is asked is an event on the topic of acts; an instance of
//! the service carries it out and answers there, so nothing but Kafka's address is needed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tidings::acts::{Act, Finished, Outcome, Requested, TOPIC};
use tidings::cloudevents::CloudEvent;
use tidings::dead_letter::LetterState;
use tidings::{EventId, Publisher, RecordAddress};

use super::letter::{Letter, counted};
use super::meant::{Which, meant};
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::{Exit, Failure};
use crate::output::{self, Screen};
use crate::{limits, record, runtime, settings};

/// Flags of `tidings dlq redrive` and `discard`.
#[derive(Debug, clap::Args)]
pub struct ActArgs {
    #[command(flatten)]
    which: Which,
    /// Why, in your words: it is kept with the act
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Wait so long for the services' answers
    #[arg(long, value_name = "SECONDS", default_value_t = limits::ACT_WAIT.as_secs())]
    wait: u64,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Show what would be asked, and ask nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Parked events to ask about, and what was left out.
#[derive(Debug, Default)]
struct Chosen {
    /// With where each lay and the group that has parked it.
    letters: Vec<(Letter, RecordAddress, String)>,
    left_out: BTreeMap<&'static str, usize>,
}

/// An act on its way.
struct Asked {
    address: RecordAddress,
    id: EventId,
    answer: Option<Finished>,
}

/// Asks.
pub fn run(act: Act, args: &ActArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let cluster = Cluster::connect(global)?;
    let (letters, remark) = meant(&cluster, &args.which, screen)?;
    let chosen = Chosen::among(letters, args.which.limit);
    if chosen.letters.is_empty() {
        let word = word(act);
        let mut failure = Failure::new(format!("nothing to {word}")).exit(Exit::NotAllowed);
        for reason in chosen.reasons() {
            failure = failure.because(reason);
        }
        return Err(failure.help("see how each stands:  tidings dlq ls"));
    }
    if !cluster.topics().contains_key(TOPIC) {
        return Err(Failure::not_found(format!("nobody reads acts: there is no topic `{TOPIC}`"))
            .help("start the service that has parked the event: it makes the topic"));
    }
    if !args.json {
        output::print(&preview(act, &chosen, remark.as_deref(), screen))?;
    }
    if args.dry_run {
        return match args.json {
            true => output::json(to_json(act, args, &chosen, &[])),
            false => output::line("nothing was asked (--dry-run)"),
        };
    }
    confirm(act, args, &chosen)?;
    let mut asked = runtime::block_on(ask(act, args, global, &chosen))??;
    await_answers(&cluster, &mut asked, Duration::from_secs(args.wait))?;
    if args.json {
        output::json(to_json(act, args, &chosen, &asked))?;
    } else {
        output::print(&answers(&asked))?;
    }
    finish(args, &asked)
}

impl Chosen {
    /// Only what waits for a person can be acted on.
    fn among(mut letters: Vec<Letter>, limit: Option<usize>) -> Chosen {
        letters.sort_by_cached_key(|letter| (letter.first_failed, letter.newest.address.clone()));
        let mut chosen = Chosen::default();
        for letter in letters {
            let reason = match (letter.state, &letter.origin, &letter.group) {
                (Some(LetterState::Parked), Some(origin), Some(group)) => {
                    if limit.is_none_or(|limit| chosen.letters.len() < limit) {
                        let (origin, group) = (origin.clone(), group.clone());
                        chosen.letters.push((letter, origin, group));
                        continue;
                    }
                    "beyond --limit"
                }
                (Some(LetterState::Done | LetterState::Discarded), ..) => "over already",
                (Some(LetterState::Retrying | LetterState::Edited), ..) => {
                    "tried again without being asked"
                }
                (None, ..) => {
                    "of a service without a store or of another framework: tidings dlq republish"
                }
                _ => "without the place of its event",
            };
            *chosen.left_out.entry(reason).or_default() += 1;
        }
        chosen
    }

    fn reasons(&self) -> impl Iterator<Item = String> {
        let sentence = |(reason, count): (&&str, &usize)| {
            format!("{} {} {reason}", counted(*count), if *count == 1 { "is" } else { "are" })
        };
        self.left_out.iter().map(sentence)
    }
}

fn word(act: Act) -> &'static str {
    match act {
        Act::Discard => "discard",
        _ => "redrive",
    }
}

fn preview(act: Act, chosen: &Chosen, remark: Option<&str>, screen: &Screen) -> String {
    let mut text = format!("{} {}\n\n", word(act), screen.bold(&counted(chosen.letters.len())));
    for (letter, origin, group) in chosen.letters.iter().take(limits::DEAD_LETTER_LINES) {
        let handler = letter.handler.as_deref().unwrap_or("-");
        let reason = letter.message.as_deref().unwrap_or_default();
        let line = format!("  {origin}  {group}/{handler}  {}", output::printable(reason));
        text.push_str(&screen.fit(&line));
        text.push('\n');
    }
    if let Some(more) = chosen.letters.len().checked_sub(limits::DEAD_LETTER_LINES + 1) {
        text.push_str(&format!("  and {} more\n", more + 1));
    }
    text.push('\n');
    text.push_str(match act {
        Act::Discard => "they are never handled; later events of their keys go on without them\n",
        _ => "each is tried again by its own handler; if it is handled, those behind it follow\n",
    });
    for line in chosen.reasons() {
        text.push_str(&format!("left out: {line}\n"));
    }
    if let Some(remark) = remark {
        text.push_str(&format!("{remark}\n"));
    }
    text
}

fn confirm(act: Act, args: &ActArgs, chosen: &Chosen) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    match output::ask(&format!("{} {}?", word(act), counted(chosen.letters.len()))) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new("nothing was asked").exit(Exit::NotAllowed)),
        None => Err(Failure::usage("nothing was asked: there is no terminal to ask on")
            .help("to do it without asking:  --yes")),
    }
}

async fn ask(
    act: Act,
    args: &ActArgs,
    global: &Global,
    chosen: &Chosen,
) -> Result<Vec<(Asked, i64)>, Failure> {
    let settings = settings::load(global)?;
    let publisher = Publisher::with(&settings).await.map_err(|error| Failure::of(&error))?;
    let publisher = publisher.source("/tidings/command");
    let who = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let who = who.unwrap_or_else(|| "unknown".to_owned());
    let mut asked = Vec::with_capacity(chosen.letters.len());
    for (letter, origin, group) in &chosen.letters {
        let handler = letter.handler.as_deref();
        let key = letter.key_bytes.as_deref();
        let mut requested = Requested::new(act, group, &who).about(handler, origin, key);
        requested.why.clone_from(&args.why);
        let receipt = publisher.publish(requested.draft()).await;
        let receipt = receipt.map_err(|error| Failure::of(&error.into()))?;
        let (address, id) = (origin.clone(), receipt.id);
        asked.push((Asked { address, id, answer: None }, receipt.offset.0));
    }
    publisher.close().await.map_err(|error| Failure::of(&error))?;
    Ok(asked)
}

/// Reads the topic of acts from the first one on, until all are answered or the time is up.
fn await_answers(
    cluster: &Cluster,
    asked: &mut [(Asked, i64)],
    wait: Duration,
) -> Result<(), Failure> {
    let Some(first) = asked.iter().map(|(_, offset)| *offset).min() else { return Ok(()) };
    let reader = cluster.reader()?;
    let mut begin = TopicPartitionList::new();
    let assigned = begin
        .add_partition_offset(TOPIC, 0, Offset::Offset(first))
        .and_then(|()| reader.assign(&begin));
    assigned.map_err(|error| cluster.no_answer(&error))?;
    let deadline = Instant::now() + wait;
    let mut open = asked.len();
    while open > 0 && Instant::now() < deadline {
        let Some(Ok(message)) = reader.poll(limits::ACT_POLL) else { continue };
        let Some(answer) = CloudEvent::from_record(&record::record(&message))
            .ok()
            .and_then(|event| Finished::read(&event))
        else {
            continue;
        };
        let its = asked.iter_mut().find(|(asked, _)| asked.id.as_str() == answer.request);
        if let Some((asked, _)) = its.filter(|(asked, _)| asked.answer.is_none()) {
            asked.answer = Some(answer);
            open -= 1;
        }
    }
    Ok(())
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
        Outcome::Expired => "expired",
        _ => "failed",
    }
}

fn answers(asked: &[(Asked, i64)]) -> String {
    let mut text = String::new();
    for (asked, _) in asked {
        let line = match &asked.answer {
            None => format!("{}  no answer yet\n", asked.address),
            Some(answer) => format!(
                "{}  {} ({}, {})\n",
                outcome_word(answer.outcome),
                output::printable(&answer.detail),
                output::printable(&answer.service),
                output::printable(&answer.instance),
            ),
        };
        text.push_str(&line);
    }
    text
}

fn finish(args: &ActArgs, asked: &[(Asked, i64)]) -> Result<(), Failure> {
    let count = |is: fn(&Asked) -> bool| asked.iter().filter(|(asked, _)| is(asked)).count();
    let unanswered = count(|asked| asked.answer.is_none());
    let done = count(|asked| asked.answer.as_ref().is_some_and(|a| a.outcome == Outcome::Done));
    if unanswered > 0 {
        let sentence = format!("{unanswered} of {} were not answered", counted(asked.len()));
        return Err(Failure::new(sentence)
            .because(format!(
                "no instance of the service that could act has answered within {} s",
                args.wait
            ))
            .help("is one running?  tidings group ls")
            .help("what was asked is carried out if one starts within ten minutes")
            .exit(Exit::Partly));
    }
    if done < asked.len() {
        let sentence = format!("{done} of {} were carried out", counted(asked.len()));
        let exit = if done > 0 { Exit::Partly } else { Exit::Failed };
        return Err(Failure::new(sentence).help("see how each stands:  tidings dlq ls").exit(exit));
    }
    if args.json {
        return Ok(());
    }
    output::line("what comes of it:  tidings dlq ls")
}

fn to_json(act: Act, args: &ActArgs, chosen: &Chosen, asked: &[(Asked, i64)]) -> Value {
    let acts: Vec<Value> = asked
        .iter()
        .map(|(asked, _)| {
            json!({
                "id": asked.id.as_str(),
                "event": asked.address.to_string(),
                "outcome": asked.answer.as_ref().map(|answer| outcome_word(answer.outcome)),
                "detail": asked.answer.as_ref().map(|answer| &answer.detail),
                "service": asked.answer.as_ref().map(|answer| &answer.service),
                "instance": asked.answer.as_ref().map(|answer| &answer.instance),
            })
        })
        .collect();
    json!({
        "act": word(act),
        "dry_run": args.dry_run,
        "selected": chosen.letters.len(),
        "left_out": chosen.left_out,
        "acts": acts,
    })
}
