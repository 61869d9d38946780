//! Where a partition begins, and what of it is finished already: by what Kafka has of the group
//! and, with a store, by what the store has of it. The lower of the two counts.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};

use super::Consumer;
use super::positions::Failed;
use super::tracker::Tracker;
use crate::progress::{NotProgress, Progress, StoreId};
use crate::service::Start;
use crate::service::limits::BROKER_CALL;
use crate::stored::Position;

/// Where a partition begins.
pub(super) struct Begin {
    /// What the client is told.
    pub(super) offset: Offset,
    pub(super) tracker: Tracker,
    /// Whether the position should be committed although nothing has finished.
    pub(super) commit: bool,
    /// How often the store's position was moved on purpose.
    pub(super) epoch: i64,
    pub(super) finding: Option<Finding>,
}

/// What people have to know about where it begins.
pub(super) enum Finding {
    /// It may not begin: why, and what to do.
    Refused(String),
    /// The store is behind Kafka, which is at `to`.
    Replay { to: i64, sentence: String },
}

impl Consumer {
    /// Kafka is asked first and the store after it. The other way round an owner that is still
    /// about to leave could commit in between, and the store would seem to be behind.
    pub(super) fn begin_all(
        &mut self,
        list: &TopicPartitionList,
    ) -> Result<Vec<(Arc<str>, i32, Begin)>, Failed> {
        let committed = self.client.committed_offsets(list.clone(), BROKER_CALL)?;
        let kept = match &self.positions {
            Some(positions) => {
                let cluster = self.client.client().fetch_cluster_id(BROKER_CALL);
                self.cluster = cluster.or(self.cluster.take());
                positions.read()?
            }
            None => Vec::new(),
        };
        let begin = |entry: &TopicPartitionListElem<'_>| {
            entry.error()?;
            let (topic, number) = (entry.topic(), entry.partition());
            let kept = kept.iter().find(|kept| kept.partition == number && kept.topic == topic);
            Ok((Arc::from(topic), number, self.begin(entry, kept)?))
        };
        committed.elements().iter().map(begin).collect()
    }

    fn begin(
        &self,
        entry: &TopicPartitionListElem<'_>,
        kept: Option<&Position>,
    ) -> KafkaResult<Begin> {
        let (topic, number) = (entry.topic(), entry.partition());
        let committed = match entry.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let progress = committed.and_then(|committed| self.progress(entry, committed));
        let mut begin = match (lower(committed, kept.map(|kept| kept.next)), self.start) {
            (Some(start), _) => {
                let finished = progress.as_ref().map(|progress| self.inherited(entry, progress));
                // With a store nothing is skipped: its inbox knows what is done, for each handler.
                let finished = finished.filter(|_| self.commits.store.is_none());
                self.at(Offset::Offset(start), start, finished.unwrap_or_default())
            }
            (None, Start::Beginning) => self.at(Offset::Beginning, 0, Vec::new()),
            (None, Start::End) => {
                // Asked for and committed, not left to the client: what comes after this moment
                // belongs to the group, also if it is restarted before it has handled anything.
                let (_, end) = self.client.fetch_watermarks(topic, number, BROKER_CALL)?;
                Begin { commit: true, ..self.at(Offset::Offset(end), end, Vec::new()) }
            }
        };
        begin.epoch = kept.map_or(0, |kept| kept.epoch);
        begin.finding = match (self.commits.store, progress.and_then(|progress| progress.store)) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                let place = Place { group: &self.group.name, topic, number };
                Some(Finding::Refused(place.other_store(ours, theirs)))
            }
            _ => match kept {
                Some(kept) => self.compare(kept, committed)?,
                None => None,
            },
        };
        Ok(begin)
    }

    fn at(&self, offset: Offset, start: i64, finished: Vec<Range<i64>>) -> Begin {
        let tracker = Tracker::new(start, finished, self.commits.names_bytes);
        Begin { offset, tracker, commit: false, epoch: 0, finding: None }
    }

    /// Whether the store's position and Kafka's belong together.
    fn compare(&self, kept: &Position, committed: Option<i64>) -> KafkaResult<Option<Finding>> {
        let place = Place { group: &self.group.name, topic: &kept.topic, number: kept.partition };
        if let (Some(kept), Some(here)) = (&kept.cluster, &self.cluster)
            && kept != here
        {
            return Ok(Some(Finding::Refused(place.other_cluster(kept, here))));
        }
        if let Some(to) = committed.filter(|committed| kept.next < *committed) {
            let sentence = place.behind(kept.next, to);
            return Ok(Some(Finding::Replay { to, sentence }));
        }
        // Where both agree, the client finds out by itself when it fetches.
        if committed != Some(kept.next) {
            let (_, end) = self.client.fetch_watermarks(place.topic, place.number, BROKER_CALL)?;
            if kept.next > end {
                return Ok(Some(Finding::Refused(place.beyond_end(kept.next, end))));
            }
        }
        Ok(None)
    }

    /// What the commit's metadata says.
    fn progress(&self, entry: &TopicPartitionListElem<'_>, committed: i64) -> Option<Progress> {
        let (topic, partition, group) = (entry.topic(), entry.partition(), &self.group.name);
        // The client panics on metadata that is no UTF-8: another tool wrote it.
        let metadata = catch_unwind(AssertUnwindSafe(|| entry.metadata().to_owned()));
        let read = match &metadata {
            Ok(metadata) => Progress::decode(metadata, committed),
            Err(_) => Err(NotProgress::Foreign("it is no UTF-8")),
        };
        match read {
            Ok(progress) => Some(progress),
            Err(NotProgress::Empty) => None,
            Err(reason) => {
                tracing::warn!(
                    group, topic, partition, %reason,
                    "nothing beyond the committed offset {committed} counts as finished",
                );
                None
            }
        }
    }

    /// What is finished already, if the metadata speaks of all handlers that are here.
    fn inherited(
        &self,
        entry: &TopicPartitionListElem<'_>,
        progress: &Progress,
    ) -> Vec<Range<i64>> {
        let (topic, partition, group) = (entry.topic(), entry.partition(), &self.group.name);
        for missing in progress.handlers.iter().filter(|name| !self.commits.handlers.contains(name))
        {
            tracing::warn!(
                group,
                topic,
                partition,
                handler = missing,
                "the group's commits name a handler that this instance does not have: what it \
                 finishes counts as finished without that handler",
            );
            self.group.meters.missing_handler(missing);
        }
        let is_new = |name: &&String| !progress.handlers.contains(name);
        let new: Vec<_> = self.commits.handlers.iter().filter(is_new).collect();
        if new.is_empty() {
            return progress.finished.clone();
        }
        tracing::info!(
            group, topic, partition, handlers = ?new,
            "handlers that are new in the group begin at the committed offset {}",
            progress.committed,
        );
        // Finished for the others is not finished for these: all of it runs again.
        Vec::new()
    }
}

/// Either may be missing, and the other one counts.
fn lower(kafka: Option<i64>, store: Option<i64>) -> Option<i64> {
    kafka.into_iter().chain(store).min()
}

/// A partition of a group, for sentences.
struct Place<'a> {
    group: &'a str,
    topic: &'a str,
    number: i32,
}

impl Place<'_> {
    fn other_store(&self, ours: StoreId, theirs: StoreId) -> String {
        let Place { group, topic, number } = self;
        format!(
            "group `{group}` has handled {topic}[{number}] with the store {theirs}, and this \
             instance has the store {ours}: all instances of a service share one store, since \
             another one does not know what was done. Give it that store, or a copy of it. To go \
             on with this one and to handle again whatever comes again, stop the service and move \
             the group, which forgets the store: tidings group reset {group} --topic {topic} --to \
             OFFSET"
        )
    }

    fn other_cluster(&self, kept: &str, here: &str) -> String {
        let Place { topic, number, .. } = self;
        format!(
            "the store's position in {topic}[{number}] is of the cluster {kept}, and this one is \
             {here}: its offsets mean something else there. {}",
            self.forget("begin where Kafka's committed offset is, or where a new group begins")
        )
    }

    fn beyond_end(&self, next: i64, end: i64) -> String {
        let Place { group, topic, number } = self;
        format!(
            "by its store, group `{group}` is at offset {next} of {topic}[{number}], which ends at \
             {end}: the topic was created anew, or its log was cut. {}",
            self.forget("go on from Kafka's committed offset alone")
        )
    }

    fn behind(&self, next: i64, committed: i64) -> String {
        let Place { group, topic, number } = self;
        format!(
            "by its store, group `{group}` is at offset {next} of {topic}[{number}], and by Kafka \
             at {committed}: the store was restored from a backup, or another tool moved the group \
             on. Replaying from {next}: what the store knows as done is not done again"
        )
    }

    fn forget(&self, to: &str) -> String {
        let Place { group, topic, number } = *self;
        format!(
            "To {to}, stop the service and let its store forget the position: {}",
            forget_position(group, topic, number)
        )
    }
}

/// The statement by which a store forgets a position.
pub(super) fn forget_position(group: &str, topic: &str, partition: i32) -> String {
    let group = group.replace('\'', "''");
    format!(
        "DELETE FROM tidings_position WHERE consumer_group = '{group}' AND topic = '{topic}' AND \
         partition = {partition}"
    )
}
