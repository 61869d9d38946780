//! Taking partitions: where each begins, and what of it is finished already.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};

use super::callbacks::Event;
use super::revoke::Revocation;
use super::tracker::Tracker;
use super::{Consumer, Partition, check_name};
use crate::lanes::place::Place;
use crate::progress::{NotProgress, Progress};
use crate::service::Start;
use crate::service::limits::BROKER_CALL;

/// What the group's coordinator asked for and the client waits for.
pub(super) enum Rebalance {
    Assign { list: TopicPartitionList, next_try: Instant },
    Revoke(Revocation),
}

/// How long a question that failed waits before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Where a partition begins.
struct Begin {
    /// What the client is told.
    offset: Offset,
    tracker: Tracker,
    /// Whether the position should be committed although nothing has finished.
    commit: bool,
}

impl Consumer {
    /// Takes the client's events, and goes on with the first rebalance that waits.
    pub(super) fn serve_rebalance(&mut self) {
        for event in self.inbox.take_events() {
            match event {
                Event::Assigned(list) => {
                    let next_try = Instant::now();
                    self.rebalances.push_back(Rebalance::Assign { list, next_try });
                }
                Event::Revoked(list) => {
                    self.rebalances.push_back(Rebalance::Revoke(Revocation::new(list)));
                }
                Event::Committed(result) => self.committed(result),
                Event::Statistics(statistics) => self.take_statistics(&statistics),
            }
        }
        while let Some(mut rebalance) = self.rebalances.pop_front() {
            let done = match &mut rebalance {
                Rebalance::Assign { list, next_try } => self.assign(list, next_try),
                Rebalance::Revoke(revocation) => self.revoke(revocation),
            };
            if !done {
                self.rebalances.push_front(rebalance);
                return;
            }
        }
    }

    /// Takes partitions. Returns whether it is done; if not, the coordinator could not be asked
    /// where they begin, and is asked again.
    fn assign(&mut self, list: &TopicPartitionList, next_try: &mut Instant) -> bool {
        if Instant::now() < *next_try {
            return false;
        }
        let begun = match self.client.committed_offsets(list.clone(), BROKER_CALL) {
            Ok(committed) => self.begin_all(&committed),
            Err(error) => Err(error),
        };
        let begun = match begun {
            Ok(begun) => begun,
            Err(error) => {
                if self.is_not_allowed(&error, None) {
                    return false;
                }
                let group = &self.group.name;
                let what = format!("group {group} cannot learn where its partitions begin");
                self.link.say(&what, format_args!("{what}: {error}; asking again"));
                *next_try = Instant::now() + ASK_AGAIN;
                return false;
            }
        };
        self.take_over(begun);
        true
    }

    fn begin_all(
        &self,
        committed: &TopicPartitionList,
    ) -> KafkaResult<Vec<(Arc<str>, i32, Begin)>> {
        let begin = |entry: &TopicPartitionListElem<'_>| {
            entry.error()?;
            Ok((Arc::from(entry.topic()), entry.partition(), self.begin(entry)?))
        };
        committed.elements().iter().map(begin).collect()
    }

    fn begin(&self, entry: &TopicPartitionListElem<'_>) -> KafkaResult<Begin> {
        let names_bytes = self.commits.names_bytes;
        let begin = |offset, start| Begin {
            offset,
            tracker: Tracker::new(start, Vec::new(), names_bytes),
            commit: false,
        };
        match (entry.offset(), self.start) {
            (Offset::Offset(committed), _) => {
                let finished = self.inherited(entry, committed);
                let tracker = Tracker::new(committed, finished, names_bytes);
                Ok(Begin { offset: Offset::Offset(committed), tracker, commit: false })
            }
            (_, Start::Beginning) => Ok(begin(Offset::Beginning, 0)),
            (_, Start::End) => {
                // Asked for and committed, not left to the client: what comes after this moment
                // belongs to the group, also if it is restarted before it has handled anything.
                let (topic, partition) = (entry.topic(), entry.partition());
                let (_, end) = self.client.fetch_watermarks(topic, partition, BROKER_CALL)?;
                Ok(Begin { commit: true, ..begin(Offset::Offset(end), end) })
            }
        }
    }

    /// What the commit's metadata says is finished, if it speaks of all handlers that are here.
    fn inherited(
        &self,
        entry: &TopicPartitionListElem<'_>,
        committed: i64,
    ) -> Vec<std::ops::Range<i64>> {
        let (topic, partition, group) = (entry.topic(), entry.partition(), &self.group.name);
        // The client panics on metadata that is no UTF-8: another tool wrote it.
        let metadata = catch_unwind(AssertUnwindSafe(|| entry.metadata().to_owned()));
        let read = match &metadata {
            Ok(metadata) => Progress::decode(metadata, committed),
            Err(_) => Err(NotProgress::Foreign("it is no UTF-8")),
        };
        let progress = match read {
            Ok(progress) => progress,
            Err(NotProgress::Empty) => return Vec::new(),
            Err(reason) => {
                tracing::warn!(
                    group, topic, partition, %reason,
                    "nothing beyond the committed offset {committed} counts as finished",
                );
                return Vec::new();
            }
        };
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
            return progress.finished;
        }
        tracing::info!(
            group, topic, partition, handlers = ?new,
            "handlers that are new in the group begin at the committed offset {committed}",
        );
        // Finished for the others is not finished for these: all of it runs again.
        Vec::new()
    }

    fn take_over(&mut self, begun: Vec<(Arc<str>, i32, Begin)>) {
        let mut list = TopicPartitionList::new();
        for (topic, number, begin) in begun {
            // Split off before it is assigned: no record of it ever takes the common queue.
            let Some(mut queue) = self.client.split_partition_queue(&topic, number) else {
                tracing::error!(topic = &*topic, partition = number, "the client has no queue");
                continue;
            };
            let bell = Arc::clone(&self.inbox);
            queue.set_nonempty_callback(move || bell.ring());
            // Offsets that the client itself has given are never refused by it.
            let _ = list.add_partition_offset(&topic, number, begin.offset);
            self.last_assignment += 1;
            // Beside each commit (`courier`) and each end (`revoke`): a group's history, read by
            // whoever asks what a member did and when. The fault tools check it.
            tracing::debug!(
                topic = &*topic,
                partition = number,
                assignment = self.last_assignment,
                from = begin.tracker.position(),
                "took a partition",
            );
            self.partitions.push(Partition {
                place: Arc::new(Place::new(topic, number, self.last_assignment)),
                queue,
                tracker: begin.tracker,
                outstanding: 0,
                dirty: begin.commit,
                stopped: false,
                lag: 0,
            });
        }
        let answer = match self.client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.client.incremental_assign(&list),
            _ => self.client.assign(&list),
        };
        match answer {
            Ok(()) => {
                let partitions = list.count();
                tracing::info!(group = self.group.name, partitions, "took partitions");
                self.group.meters.stats().health().set(check_name(&self.group), None);
            }
            Err(error) => {
                tracing::error!(group = self.group.name, %error, "cannot take partitions");
            }
        }
        if self.stopping.is_some() {
            self.partitions.iter().for_each(Partition::drain);
        }
    }
}
