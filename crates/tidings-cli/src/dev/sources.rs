//! What only the broker can tell while the demo runs: how far each group is behind, also while its
//! service is dead; the newest event of each service; and the dead letters at the end.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tidings::dead_letter::LetterState;

use crate::cli::Global;
use crate::cluster::{Cluster, Reader, number};
use crate::dlq::{Index, Letter};
use crate::failure::Failure;
use crate::output::Screen;
use crate::record;

/// How far one group is behind, measured with a consumer that is kept for it.
pub struct Lag {
    group: &'static str,
    consumer: Reader,
    cluster: Arc<Cluster>,
}

impl Lag {
    /// Prepares to measure a group.
    pub fn of(cluster: &Arc<Cluster>, group: &'static str) -> Result<Self, Failure> {
        Ok(Self { group, consumer: cluster.member_of(group)?, cluster: Arc::clone(cluster) })
    }

    /// The service whose group it is.
    pub fn group(&self) -> &'static str {
        self.group
    }

    /// Records behind the group's commits, in the topics that it has committed. Blocks.
    pub fn measure(&self) -> Result<i64, Failure> {
        let committed = crate::group::committed(&self.cluster, &self.consumer, self.group)?;
        let names: Vec<_> = committed.keys().cloned().collect();
        let ends = self.cluster.offsets(&self.consumer, &names, Offset::End)?;
        Ok(committed
            .iter()
            .map(|(name, (offset, _))| {
                let end = ends.get(name).map_or(0, |end| number(*end));
                (end - offset.unwrap_or(end)).max(0)
            })
            .sum())
    }
}

/// The newest event of each source, followed by a thread of its own.
pub struct Newest {
    seen: Arc<Mutex<HashMap<String, String>>>,
    stop: Arc<AtomicBool>,
}

impl Newest {
    /// Follows these topics from their ends on.
    pub fn follow(cluster: &Cluster, topics: &[&str]) -> Result<Self, Failure> {
        let reader = cluster.reader()?;
        let mut list = TopicPartitionList::new();
        for (topic, partition) in cluster.partitions_of(topics.iter().copied())? {
            list.add_partition_offset(&topic, partition, Offset::End)
                .map_err(|error| Failure::new("cannot follow the topics").because(error))?;
        }
        reader
            .assign(&list)
            .map_err(|error| Failure::new("cannot follow the topics").because(error))?;
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        std::thread::Builder::new()
            .name("newest events".to_owned())
            .spawn(move || watch(&reader, &shared, &stopped))
            .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
        Ok(Self { seen, stop })
    }

    /// `payment.taken 1042`, the newest event of a service.
    pub fn of(&self, service: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(service).cloned()
    }
}

impl Drop for Newest {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn watch(reader: &Reader, seen: &Mutex<HashMap<String, String>>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        if let Some(Ok(message)) = reader.poll(Duration::from_millis(200))
            && let Some((service, event)) = describe(&message)
        {
            seen.lock().unwrap_or_else(PoisonError::into_inner).insert(service, event);
        }
    }
}

/// The service and a short text, from headers alone: the shop's events are in binary mode.
fn describe(message: &BorrowedMessage<'_>) -> Option<(String, String)> {
    let headers = message.headers()?;
    let text = |name: &str| {
        let header = headers.iter().find(|header| header.key == name)?;
        std::str::from_utf8(header.value?).ok()
    };
    let service = record::service(text("ce_source")?).to_owned();
    let about = text("ce_subject").and_then(|subject| subject.rsplit('/').next()).unwrap_or("");
    Some((service, format!("{} {about}", record::short_type(text("ce_type")?))))
}

/// How many events each service gave up, or has parked: dead letters whose newest copy does not say
/// that the event was handled after all. Blocks.
pub fn dead_letters(
    global: &Global,
    services: &[&str],
    screen: &Screen,
) -> Result<BTreeMap<String, i64>, Failure> {
    let cluster = Cluster::connect(global)?;
    let of = |service: &str| {
        let mut topics = shop::dead_letter_topics(service);
        topics.retain(|topic| cluster.topics().contains_key(topic));
        topics
    };
    let mut counts = BTreeMap::new();
    for service in services {
        let (index, _) = Index::scan(&cluster, of(service), None, &[], screen, |_, _| {})?;
        let waits = |letter: &&Letter| letter.state != Some(LetterState::Done);
        let waiting = index.into_letters().iter().filter(waits).count();
        counts.insert((*service).to_owned(), i64::try_from(waiting).unwrap_or(i64::MAX));
    }
    Ok(counts)
}
