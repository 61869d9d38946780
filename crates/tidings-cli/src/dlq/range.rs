//! How much of the topics of dead letters is read: all of it while that is little, else the newest
//! records, because the newest copy of a letter says how it stands; or from a time on, when asked.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use tidings::RecordAddress;

use crate::cluster::{Cluster, TopicPartition};
use crate::failure::Failure;
use crate::scan::{Plan, Span};
use crate::{limits, output};

/// What was read, to be shown beside what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The topics.
    pub topics: Vec<String>,
    /// How many records were read.
    pub records: u64,
    /// How many older ones were left out.
    pub left_out: u64,
}

impl Read {
    /// The part of JSON objects that says what was read.
    pub fn to_json(&self) -> Value {
        json!({"topics": self.topics, "records": self.records, "left_out": self.left_out})
    }

    /// A sentence about what was not read; nothing when all of it was.
    pub fn remark(&self) -> Option<String> {
        (self.left_out > 0).then(|| {
            format!(
                "only the newest {} were read, {} older ones were left out; \
                 read more:  --since 30d",
                output::counted(self.records as i64, "record"),
                output::grouped(self.left_out as i64),
            )
        })
    }
}

/// Plans to read these topics, and from these records on in any case: what has become of them is
/// told by copies behind them.
pub fn plan(
    cluster: &Cluster,
    topics: Vec<String>,
    since: Option<Timestamp>,
    named: &[RecordAddress],
) -> Result<(Plan, Read), Failure> {
    let reader = cluster.reader()?;
    let partitions = cluster.partitions_of(topics.iter().map(String::as_str))?;
    let bounds = cluster.bounds(&reader, &partitions)?;
    let all: u64 = bounds.values().map(|(start, end)| (end - start).max(0) as u64).sum();
    let mut plan = match since {
        Some(since) => Plan::new(cluster, topics.clone(), Some(since), since)?,
        None => Plan::of_spans(reader, topics.clone(), newest(&bounds, limits::WHOLE_SCAN_RECORDS)),
    };
    named.iter().for_each(|address| plan.reach(address));
    let records = plan.records();
    Ok((plan, Read { topics, records, left_out: all.saturating_sub(records) }))
}

/// The newest `limit` records of all partitions together: what small ones leave goes to large ones.
fn newest(bounds: &BTreeMap<TopicPartition, (i64, i64)>, limit: i64) -> Vec<Span> {
    let mut by_size: Vec<_> = bounds.iter().map(|(name, (from, to))| (to - from, name)).collect();
    by_size.sort();
    let mut left = limit;
    let mut open = by_size.len() as i64;
    let mut spans = Vec::with_capacity(by_size.len());
    for (size, name) in by_size {
        let take = size.min(left / open);
        (left, open) = (left - take, open - 1);
        let (_, end) = bounds[name];
        spans.push(Span { topic: name.0.clone(), partition: name.1, from: end - take, to: end });
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(sizes: &[i64], limit: i64) -> Vec<i64> {
        let bounds = sizes
            .iter()
            .zip(0..)
            .map(|(size, partition)| (("dlq".to_owned(), partition), (100, 100 + size)))
            .collect();
        let mut spans = newest(&bounds, limit);
        spans.sort_by_key(|span| span.partition);
        assert!(spans.iter().zip(sizes).all(|(span, size)| span.to == 100 + size));
        spans.iter().map(|span| span.to - span.from).collect()
    }

    #[test]
    fn small_topics_are_read_whole_and_large_ones_share_what_is_left() {
        assert_eq!(taken(&[5, 0, 7], 100), [5, 0, 7]);
        assert_eq!(taken(&[5, 100, 200], 65), [5, 30, 30]);
        assert_eq!(taken(&[1_000], 10), [10]);
        assert_eq!(taken(&[], 10), Vec::<i64>::new());
    }

    #[test]
    fn what_was_left_out_is_said() {
        let read = |left_out| Read { topics: Vec::new(), records: 500_000, left_out };
        assert_eq!(read(0).remark(), None);
        let remark = read(1_000).remark().expect("a remark");
        assert!(remark.starts_with("only the newest 500,000 records were read, 1,000 older"));
    }
}
