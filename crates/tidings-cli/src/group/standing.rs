//! Where a group stands: its members, what it has committed, how far that is from the end, and, for
//! services built with Tidings, the oldest event that is not finished.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use indicatif::ProgressBar;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tidings::link::Act;
use tidings::progress::{Outage, Progress};

use super::assignment;
use crate::cluster::{Cluster, Reader, TopicPartition, nearest};
use crate::failure::Failure;
use crate::limits;
use crate::record::Seen;
use crate::scan::{Plan, Span};

/// A group as the broker describes it.
pub struct Description {
    /// Kafka's name of its state: Empty, Stable, PreparingRebalance, CompletingRebalance, Dead.
    pub state: String,
    /// Who is in it.
    pub members: Vec<Member>,
}

/// One member of a group.
pub struct Member {
    /// The name that the broker gave it.
    pub id: String,
    /// The name that it gave itself.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
    /// The partitions that it has.
    pub partitions: Vec<TopicPartition>,
}

/// How far a group has come in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The committed offset, if there is one.
    pub committed: Option<i64>,
    /// The partition's end.
    pub end: i64,
    /// How many records are behind the committed offset, or in the partition if there is none.
    pub lag: i64,
    /// The oldest unfinished event, told by the commit's metadata.
    pub unfinished: Option<Unfinished>,
    /// Handlers that could do nothing when it was committed.
    pub outages: Vec<Outage>,
}

/// The event that holds back a partition's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its offset.
    pub offset: i64,
    /// How many later ones are finished already.
    pub finished_beyond: u64,
    /// Its id, type and time, when the record could be read as an event.
    pub event: Option<(String, String, Option<String>)>,
}

/// Asks for all groups, by name.
pub fn names(cluster: &Cluster, reader: &Reader) -> Result<Vec<(String, Description)>, Failure> {
    let list = reader
        .fetch_group_list(None, limits::REQUEST_TIMEOUT)
        .map_err(|error| cluster.no_answer(&error))?;
    let mut groups: Vec<_> =
        list.groups().iter().map(|group| (group.name().to_owned(), describe(group))).collect();
    groups.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(groups)
}

/// Asks for one group; the error names the nearest one.
pub fn description(
    cluster: &Cluster,
    reader: &Reader,
    group: &str,
) -> Result<Option<Description>, Failure> {
    let list = reader
        .fetch_group_list(Some(group), limits::REQUEST_TIMEOUT)
        .map_err(|error| cluster.no_answer_to(&error, Act::DescribeGroup(group)))?;
    Ok(list.groups().iter().find(|found| found.name() == group).map(describe))
}

/// Fails at once where the group is hidden from this user: the list of groups leaves it out.
pub fn check_right(cluster: &Cluster, group: &str) -> Result<(), Failure> {
    let Some(topic) = cluster.topics().keys().next() else { return Ok(()) };
    let mut query = TopicPartitionList::with_capacity(1);
    query.add_partition(topic, 0);
    let consumer = cluster.member_of(group)?;
    let answer = cluster.ask(&consumer, |wait| consumer.committed_offsets(query.clone(), wait));
    answer.map(drop).map_err(|error| cluster.no_answer_to(&error, Act::DescribeGroup(group)))
}

/// Says that there is no such group.
pub fn unknown(cluster: &Cluster, reader: &Reader, group: &str) -> Failure {
    let failure = Failure::not_found(format!("no group `{group}` at {}", cluster.bootstrap()));
    let known = names(cluster, reader).unwrap_or_default();
    match nearest(group, known.iter().map(|(name, _)| name.as_str())) {
        Some(near) => failure.help(format!("did you mean `{near}`?  tidings group ls")),
        None => failure.help("see those that exist:  tidings group ls"),
    }
}

/// Works out how far the group is in each partition that it has committed or that a member has.
pub fn rows(cluster: &Cluster, group: &str, members: &[Member]) -> Result<Vec<Row>, Failure> {
    let consumer = cluster.member_of(group)?;
    let mut rows = unnamed(cluster, &consumer, group, members)?;
    name_events(consumer, &mut rows)?;
    Ok(rows)
}

/// How many records the group is behind over all its partitions; no record is read for it.
pub fn lag(cluster: &Cluster, group: &str, members: &[Member]) -> Result<i64, Failure> {
    let rows = unnamed(cluster, &cluster.member_of(group)?, group, members)?;
    Ok(rows.iter().map(|row| row.lag).sum())
}

/// The rows without the names of the oldest unfinished events.
fn unnamed(
    cluster: &Cluster,
    consumer: &Reader,
    group: &str,
    members: &[Member],
) -> Result<Vec<Row>, Failure> {
    let mut commits = committed(cluster, consumer, group)?;
    let assigned: BTreeSet<TopicPartition> = members
        .iter()
        .flat_map(|member| member.partitions.iter().cloned())
        .filter(|(topic, _)| cluster.topics().contains_key(topic))
        .collect();
    for name in assigned {
        commits.entry(name).or_insert((None, String::new()));
    }
    let names: Vec<TopicPartition> = commits.keys().cloned().collect();
    let bounds = cluster.bounds(consumer, &names)?;
    let mut rows = Vec::new();
    for ((topic, partition), (offset, metadata)) in commits {
        let (start, end) = bounds.get(&(topic.clone(), partition)).copied().unwrap_or_default();
        let lag = (end - offset.unwrap_or(start)).max(0);
        let progress = offset.and_then(|offset| Progress::decode(&metadata, offset).ok());
        let unfinished = progress.as_ref().filter(|_| lag > 0).map(|progress| Unfinished {
            offset: progress.committed,
            finished_beyond: progress.finished_beyond(),
            event: None,
        });
        let outages = progress.map(|progress| progress.outages).unwrap_or_default();
        rows.push(Row { topic, partition, committed: offset, end, lag, unfinished, outages });
    }
    Ok(rows)
}

/// What a group has committed, with its metadata, of all topics that exist.
pub fn committed(
    cluster: &Cluster,
    consumer: &Reader,
    group: &str,
) -> Result<BTreeMap<TopicPartition, (Option<i64>, String)>, Failure> {
    let all = cluster.partitions_of(cluster.topics().keys().map(String::as_str))?;
    if all.len() > limits::GROUP_PARTITIONS {
        return Err(Failure::new(format!(
            "the cluster has {} partitions; at most {} can be looked through for a group",
            all.len(),
            limits::GROUP_PARTITIONS
        )));
    }
    let mut query = TopicPartitionList::with_capacity(all.len());
    for (topic, partition) in &all {
        query.add_partition(topic, *partition);
    }
    if all.is_empty() {
        return Ok(BTreeMap::new());
    }
    let answer = consumer
        .committed_offsets(query, limits::REQUEST_TIMEOUT)
        .map_err(|error| cluster.no_answer_to(&error, Act::DescribeGroup(group)))?;
    Ok(answer
        .elements()
        .iter()
        .filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some((
                (element.topic().to_owned(), element.partition()),
                (Some(offset), element.metadata().to_owned()),
            )),
            _ => None,
        })
        .collect())
}

fn describe(group: &rdkafka::groups::GroupInfo) -> Description {
    let members = group
        .members()
        .iter()
        .map(|member| Member {
            id: member.id().to_owned(),
            client_id: member.client_id().to_owned(),
            host: member.client_host().trim_start_matches('/').to_owned(),
            partitions: member.assignment().and_then(assignment::parse).unwrap_or_default(),
        })
        .collect();
    Description { state: group.state().to_owned(), members }
}

/// Reads the oldest unfinished records, to tell their ids and types.
fn name_events(consumer: Reader, rows: &mut [Row]) -> Result<(), Failure> {
    let spans: Vec<Span> = rows
        .iter()
        .filter_map(|row| {
            let offset = row.unfinished.as_ref()?.offset;
            Some(Span {
                topic: row.topic.clone(),
                partition: row.partition,
                from: offset,
                to: offset + 1,
            })
        })
        .collect();
    if spans.is_empty() {
        return Ok(());
    }
    Plan::of_spans(consumer, Vec::new(), spans).run(&ProgressBar::hidden(), |message| {
        let seen = Seen::of(message);
        let row = rows
            .iter_mut()
            .find(|row| row.topic == seen.record.topic && row.partition == seen.record.partition.0);
        if let (Ok(event), Some(unfinished)) =
            (seen.event, row.and_then(|row| row.unfinished.as_mut()))
        {
            unfinished.event = Some((event.id.as_str().to_owned(), event.ty, event.time));
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}
