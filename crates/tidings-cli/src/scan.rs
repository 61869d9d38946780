//! A bounded read of whole topics: every partition at once, from a known start to the end as it was
//! when the scan began. What is scanned is known before, so that it can be shown.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use indicatif::ProgressBar;
use jiff::Timestamp;
use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tidings::RecordAddress;

use crate::cluster::{self, Cluster, Reader, TopicPartition, number};
use crate::failure::{Exit, Failure};
use crate::limits;

/// The offsets of one partition that are read: from `from`, below `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// The end: one behind the last offset.
    pub to: i64,
}

/// What a scan will read.
pub struct Plan {
    reader: Reader,
    spans: Vec<Span>,
    topics: Vec<String>,
    from: Option<Timestamp>,
}

impl Plan {
    /// Plans to read these topics from a time on.
    ///
    /// Without a time: the whole logs while they are small, else from `back` on.
    pub fn new(
        cluster: &Cluster,
        topics: Vec<String>,
        since: Option<Timestamp>,
        back: Timestamp,
    ) -> Result<Self, Failure> {
        let reader = cluster.reader()?;
        let partitions = cluster.partitions_of(topics.iter().map(String::as_str))?;
        let mut bounds = cluster.bounds(&reader, &partitions)?;
        let records: i64 = bounds.values().map(|(start, end)| end - start).sum();
        let from = since.or((records > limits::WHOLE_SCAN_RECORDS).then_some(back));
        if let Some(time) = from {
            let at = Offset::Offset(time.as_millisecond().max(0));
            for (name, offset) in cluster.offsets(&reader, &partitions, at)? {
                if let Some((start, end)) = bounds.get_mut(&name) {
                    *start = match offset {
                        Offset::Offset(first) => first.clamp(*start, *end),
                        _ => *end,
                    };
                }
            }
        }
        let spans = bounds
            .into_iter()
            .map(|((topic, partition), (from, to))| Span { topic, partition, from, to })
            .collect();
        Ok(Self { reader, spans, topics, from })
    }

    /// A plan for spans that the caller has worked out.
    pub fn of_spans(reader: Reader, topics: Vec<String>, spans: Vec<Span>) -> Self {
        Self { reader, spans, topics, from: None }
    }

    /// Reads one partition from this record on, if it would have begun behind it.
    pub fn reach(&mut self, address: &RecordAddress) {
        for span in &mut self.spans {
            if span.topic == address.topic && span.partition == address.partition.0 {
                span.from = span.from.min(address.offset.0);
            }
        }
    }

    /// The topics that are read.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// The time from which on records are read; `None` is the beginning.
    pub fn from(&self) -> Option<Timestamp> {
        self.from
    }

    /// How many records are in the range (fewer, where compaction or transactions left gaps).
    pub fn records(&self) -> u64 {
        self.spans.iter().map(|span| (span.to - span.from).max(0) as u64).sum()
    }

    /// Reads the range and shows each record to `visit`, in the order of offsets per partition,
    /// until it is through or `visit` breaks off. Gives back the consumer for further use.
    pub fn run(
        self,
        bar: &ProgressBar,
        mut visit: impl FnMut(&BorrowedMessage<'_>) -> ControlFlow<()>,
    ) -> Result<Reader, Failure> {
        let mut open = Open::of(&self.spans);
        assign(&self.reader, &self.spans)?;
        let mut heard = Instant::now();
        while !open.is_empty() {
            match self.reader.poll(limits::SCAN_STALL / 40) {
                None if heard.elapsed() > limits::SCAN_STALL => return Err(stalled(&open)),
                None => {}
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let (topic, partition) = (message.topic(), message.partition());
                    let Some(end) = open.end(topic, partition) else { continue };
                    if message.offset() < end {
                        bar.inc(1);
                        if visit(&message).is_break() {
                            return Ok(self.reader);
                        }
                    }
                    if message.offset() + 1 >= end {
                        let name = (topic.to_owned(), partition);
                        drop(message);
                        stop(&self.reader, &name);
                        open.close(&name);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    heard = Instant::now();
                    open.end_of_file(partition);
                }
                Some(Err(error)) if is_fatal(&error) => {
                    let topics: Vec<&str> = open.topics();
                    let refused = cluster::refused_to(&self.reader, &error, &topics);
                    return Err(refused
                        .unwrap_or_else(|| Failure::new("cannot read the topics").because(error)));
                }
                // librdkafka reports lost connections and goes on; the stall ends what stays lost.
                Some(Err(_)) => {}
            }
        }
        Ok(self.reader)
    }
}

/// Starts reading at the beginning of each span that is not empty.
fn assign(reader: &Reader, spans: &[Span]) -> Result<(), Failure> {
    let mut list = TopicPartitionList::with_capacity(spans.len());
    for span in spans.iter().filter(|span| span.from < span.to) {
        list.add_partition_offset(&span.topic, span.partition, Offset::Offset(span.from))
            .map_err(|error| Failure::new("cannot assign the partitions").because(error))?;
    }
    reader
        .assign(&list)
        .map_err(|error| Failure::new("cannot assign the partitions").because(error))
}

/// Stops fetching a partition that is through. Failing to do so costs memory, nothing else.
fn stop(reader: &Reader, (topic, partition): &TopicPartition) {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(topic, *partition);
    let _ = reader.incremental_unassign(&list);
}

fn is_fatal(error: &KafkaError) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnknownTopicOrPartition
                | Code::UnknownTopic
                | Code::UnknownPartition
                | Code::TopicAuthorizationFailed
                | Code::Fatal
        )
    )
}

fn stalled(open: &Open) -> Failure {
    let names: Vec<String> = open.names().take(5).map(|(t, p)| format!("{t}[{p}]")).collect();
    Failure::new(format!("the broker sent nothing for {} s", limits::SCAN_STALL.as_secs()))
        .because(format!("while reading {}", names.join(", ")))
        .exit(Exit::Partly)
}

/// The partitions that are not through yet, with their ends.
///
/// A partition is through when its last offset was seen, or when its end was reported: the last
/// offsets of a log may be gaps. librdkafka's report names the partition's number and not its
/// topic, so the reports are counted: a partition that is through is no longer fetched and reports
/// nothing, so as many reports as there are open partitions of that number mean that all of them
/// are.
struct Open {
    ends: HashMap<String, HashMap<i32, i64>>,
    reports: HashMap<i32, usize>,
}

impl Open {
    fn of(spans: &[Span]) -> Self {
        let mut ends: HashMap<String, HashMap<i32, i64>> = HashMap::new();
        for span in spans.iter().filter(|span| span.from < span.to) {
            ends.entry(span.topic.clone()).or_default().insert(span.partition, span.to);
        }
        Self { ends, reports: HashMap::new() }
    }

    fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn names(&self) -> impl Iterator<Item = (&str, i32)> {
        self.ends
            .iter()
            .flat_map(|(topic, partitions)| partitions.keys().map(move |p| (topic.as_str(), *p)))
    }

    fn topics(&self) -> Vec<&str> {
        self.ends.keys().map(String::as_str).collect()
    }

    fn end(&self, topic: &str, partition: i32) -> Option<i64> {
        self.ends.get(topic)?.get(&partition).copied()
    }

    fn close(&mut self, (topic, partition): &TopicPartition) {
        if let Some(partitions) = self.ends.get_mut(topic) {
            partitions.remove(partition);
            if partitions.is_empty() {
                self.ends.remove(topic);
            }
        }
        self.settle(*partition);
    }

    fn end_of_file(&mut self, partition: i32) {
        *self.reports.entry(partition).or_default() += 1;
        self.settle(partition);
    }

    fn settle(&mut self, partition: i32) {
        let open = self.ends.values().filter(|p| p.contains_key(&partition)).count();
        if self.reports.get(&partition).copied().unwrap_or(0) < open {
            return;
        }
        self.ends.retain(|_, partitions| {
            partitions.remove(&partition);
            !partitions.is_empty()
        });
    }
}

/// The newest `n` records of each partition, as spans that end where the partitions end now.
pub fn newest(
    cluster: &Cluster,
    reader: &Reader,
    partitions: &[TopicPartition],
    n: u64,
) -> Result<Vec<Span>, Failure> {
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    Ok(cluster
        .bounds(reader, partitions)?
        .into_iter()
        .map(|((topic, partition), (start, end))| Span {
            topic,
            partition,
            from: end.saturating_sub(n).max(start),
            to: end,
        })
        .collect())
}

/// The offset that an answer stands for in a log that ends at `end`.
pub fn at_or_end(offset: Offset, end: i64) -> i64 {
    match offset {
        Offset::End => end,
        other => number(other).min(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(names: &[(&str, i32)]) -> Open {
        let spans: Vec<Span> = names
            .iter()
            .map(|(topic, partition)| Span {
                topic: (*topic).to_owned(),
                partition: *partition,
                from: 0,
                to: 10,
            })
            .collect();
        Open::of(&spans)
    }

    #[test]
    fn a_report_of_the_end_waits_until_it_can_mean_only_open_partitions() {
        let mut open = open(&[("a", 0), ("b", 0), ("a", 1)]);
        open.end_of_file(0);
        assert_eq!(open.names().count(), 3, "one report for two partitions tells nothing");
        open.close(&("b".to_owned(), 0));
        assert_eq!(open.names().collect::<Vec<_>>(), [("a", 1)], "it was a[0]");
        open.end_of_file(1);
        assert!(open.is_empty());
    }

    #[test]
    fn empty_partitions_are_through_from_the_start() {
        let span = Span { topic: "a".to_owned(), partition: 0, from: 10, to: 10 };
        assert!(Open::of(&[span]).is_empty());
    }
}
