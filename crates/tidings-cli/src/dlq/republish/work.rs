//! Publishes dead letters and marks them, some hundreds at a time. A letter is marked behind the
//! acknowledgement of its event: what dies in between is published once more by the next run, under
//! the same id, which inboxes recognise.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use indicatif::ProgressBar;
use tidings::cloudevents::{Headers, Record};
use tidings::config::Settings;
use tidings::dead_letter::{self, LetterState, header};
use tidings::{EventId, PublishError, Publisher, RawRecord, RecordAddress};
use tokio::task::JoinSet;

use super::super::identity::Identity;
use super::super::letter::{self, Letter};
use crate::cluster::{Cluster, Reader};
use crate::failure::{Exit, Failure, causes};
use crate::scan::{Plan, Span};
use crate::{limits, record, runtime, signals};

/// What a run needs.
pub struct Work<'a> {
    /// Where the dead letters are.
    pub cluster: &'a Cluster,
    /// The publisher's settings.
    pub settings: &'a Settings,
    /// The topic to publish to.
    pub to: &'a str,
    /// The id of this run.
    pub id: &'a EventId,
}

/// How far a run got.
#[derive(Debug, Default)]
pub struct Worked {
    /// Letters that were published and marked.
    pub done: usize,
    /// Letters that could not be, each with the reason; the others went on.
    pub refused: Vec<String>,
    /// Somebody pressed Ctrl-C.
    pub interrupted: bool,
}

impl Work<'_> {
    /// Publishes and marks; what was done before an error stands in `worked`.
    pub fn run(
        &self,
        letters: &[Letter],
        bar: &ProgressBar,
        worked: &mut Worked,
    ) -> Result<(), Failure> {
        runtime::block_on(self.all(letters, bar, worked))?
    }

    async fn all(
        &self,
        letters: &[Letter],
        bar: &ProgressBar,
        worked: &mut Worked,
    ) -> Result<(), Failure> {
        let publisher =
            Publisher::with(self.settings).await.map_err(|error| Failure::of(&error))?;
        let mut reader = self.cluster.reader()?;
        // In the order of their places: each round then reads little that it does not need.
        let mut waiting: BTreeMap<&RecordAddress, &Letter> =
            letters.iter().map(|letter| (&letter.newest.address, letter)).collect();
        // One event may be given up by several handlers: it is published once.
        let mut published: HashSet<RecordAddress> = HashSet::new();
        while !waiting.is_empty() {
            if signals::is_interrupted() {
                worked.interrupted = true;
                break;
            }
            let round = round(&waiting);
            let (back, records, is_through) = read(reader, &round)?;
            reader = back;
            if is_through {
                for address in round.keys().filter(|address| !records.contains_key(**address)) {
                    waiting.remove(*address);
                    worked.refused.push(format!("{address} is gone: the topic did not keep it"));
                }
            }
            let mut tasks = JoinSet::new();
            for (address, record) in &records {
                let Some((address, letter)) = waiting.remove_entry(address) else { continue };
                let again = letter.origin.as_ref().is_some_and(|origin| published.contains(origin));
                let event = (!again).then(|| self.event(record));
                let mark = self.mark(record, letter);
                let publisher = publisher.clone();
                let (address, origin) = (address.clone(), letter.origin.clone());
                tasks.spawn(async move {
                    let outcome = publish_and_mark(&publisher, event, mark).await;
                    Ended { address, origin, outcome }
                });
            }
            settle(tasks, &mut published, bar, worked).await?;
        }
        publisher.close().await.map_err(|error| Failure::of(&error))
    }

    /// The event as it was before it failed, with our two headers.
    fn event(&self, record: &Record) -> RawRecord {
        let mut headers = dead_letter::strip(&record.headers);
        headers.extend(self.redrive(record));
        RawRecord {
            topic: self.to.to_owned(),
            key: record.key.clone(),
            value: record.value.clone(),
            headers,
            partition: None,
        }
    }

    /// A copy of the dead letter behind it, in the same partition, that says that it is done.
    fn mark(&self, record: &Record, letter: &Letter) -> RawRecord {
        let mut headers = record.headers.clone();
        let mut put = |name: &str, value: String| {
            headers.push((name.to_owned(), Some(value.into())));
        };
        if let Identity::Own(own) = &letter.identity {
            // It names no place of its event, so the mark names the letter's own.
            put(header::TOPIC, own.topic.clone());
            put(header::PARTITION, own.partition.to_string());
            put(header::OFFSET, own.offset.to_string());
        }
        put(header::STATE, LetterState::Done.as_str().to_owned());
        headers.extend(self.redrive(record));
        RawRecord {
            topic: record.topic.clone(),
            key: record.key.clone(),
            value: record.value.clone(),
            headers,
            partition: Some(record.partition),
        }
    }

    fn redrive(&self, record: &Record) -> Headers {
        let count = letter::redrives(record).saturating_add(1);
        [
            (header::REDRIVE_ID, self.id.as_str().to_owned()),
            (header::REDRIVE_COUNT, count.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), Some(value.into())))
        .to_vec()
    }
}

/// The next letters, of which no two are of the same event: the second one waits until it is known
/// whether the first was published.
fn round<'a>(
    waiting: &BTreeMap<&'a RecordAddress, &'a Letter>,
) -> BTreeMap<&'a RecordAddress, &'a Letter> {
    let mut origins = HashSet::new();
    waiting
        .iter()
        .filter(|(_, letter)| letter.origin.as_ref().is_none_or(|origin| origins.insert(origin)))
        .take(limits::REPUBLISH_TOGETHER)
        .map(|(address, letter)| (*address, *letter))
        .collect()
}

type Records = BTreeMap<RecordAddress, Record>;

/// Reads the records of a round, as many as may be held; tells whether it was all of them.
fn read(
    reader: Reader,
    round: &BTreeMap<&RecordAddress, &Letter>,
) -> Result<(Reader, Records, bool), Failure> {
    let mut spans: BTreeMap<(&str, i32), Span> = BTreeMap::new();
    for address in round.keys() {
        let (partition, offset) = (address.partition.0, address.offset.0);
        let span = spans.entry((&address.topic, partition)).or_insert_with(|| Span {
            topic: address.topic.clone(),
            partition,
            from: offset,
            to: offset + 1,
        });
        span.from = span.from.min(offset);
        span.to = span.to.max(offset + 1);
    }
    let topics = spans.values().map(|span| span.topic.clone()).collect();
    let plan = Plan::of_spans(reader, topics, spans.into_values().collect());
    let mut records = Records::new();
    let mut bytes = 0;
    let mut is_through = true;
    let reader = plan.run(&ProgressBar::hidden(), |message| {
        let record = record::record(message);
        let address = record.address();
        if !round.contains_key(&address) {
            return ControlFlow::Continue(());
        }
        bytes += record.value.as_ref().map_or(0, |value| value.len());
        records.insert(address, record);
        if bytes < limits::REPUBLISH_TOGETHER_BYTES {
            return ControlFlow::Continue(());
        }
        is_through = false;
        ControlFlow::Break(())
    })?;
    Ok((reader, records, is_through))
}

/// What became of one letter.
struct Ended {
    address: RecordAddress,
    origin: Option<RecordAddress>,
    outcome: Result<(), Stopped>,
}

enum Stopped {
    /// The event was not published.
    Publish(PublishError),
    /// It was, and the dead letter could not be marked.
    Mark(PublishError),
}

async fn publish_and_mark(
    publisher: &Publisher,
    event: Option<RawRecord>,
    mark: RawRecord,
) -> Result<(), Stopped> {
    if let Some(event) = event {
        publisher.write(event).await.map_err(Stopped::Publish)?;
    }
    match publisher.write(mark.clone()).await {
        // Only the mark's headers count.
        Err(error) if is_too_large(&error) => {
            let small = RawRecord { value: None, ..mark };
            publisher.write(small).await.map(drop).map_err(Stopped::Mark)
        }
        outcome => outcome.map(drop).map_err(Stopped::Mark),
    }
}

/// Waits for all of a round. What is the letter's own fault is noted, anything else ends the run,
/// after those that were under way.
async fn settle(
    mut tasks: JoinSet<Ended>,
    published: &mut HashSet<RecordAddress>,
    bar: &ProgressBar,
    worked: &mut Worked,
) -> Result<(), Failure> {
    let mut failed = None;
    while let Some(ended) = tasks.join_next().await {
        let Ended { address, origin, outcome } =
            ended.map_err(|error| Failure::new("cannot republish").because(error))?;
        bar.inc(1);
        match outcome {
            Ok(()) => {
                worked.done += 1;
                published.extend(origin);
            }
            Err(Stopped::Publish(error)) if is_too_large(&error) => {
                worked.refused.push(format!("{address}: {}", causes(&error)));
            }
            Err(Stopped::Publish(error)) => failed = Some(broken(&error)),
            Err(Stopped::Mark(error)) => {
                failed = Some(broken(&error).because(format!(
                    "{address} was republished and could not be marked: it will be once more"
                )));
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

fn broken(error: &PublishError) -> Failure {
    let exit = match error {
        PublishError::NotAllowed { .. } => Exit::NotAllowed,
        PublishError::UnknownTopic { .. } => Exit::NotFound,
        _ => Exit::Failed,
    };
    Failure::new(causes(error)).exit(exit)
}

fn is_too_large(error: &PublishError) -> bool {
    matches!(error, PublishError::TooLarge { .. } | PublishError::RefusedSize { .. })
}

#[cfg(test)]
mod tests {
    use super::super::super::letter::tests::{copy, letter};
    use super::*;

    #[test]
    fn a_round_takes_each_event_once() {
        let at = |offset: i64, origin: &str| {
            letter(&[copy(offset, &[("__connect.errors.offset", origin)])])
        };
        let letters = [at(1, "401"), at(2, "401"), at(3, "402")];
        let waiting: BTreeMap<&RecordAddress, &Letter> =
            letters.iter().map(|letter| (&letter.newest.address, letter)).collect();
        let taken: Vec<i64> = round(&waiting).keys().map(|address| address.offset.0).collect();
        assert_eq!(taken, [1, 3]);
    }
}
