//! Taking partitions, once it is known where each begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::begin::{Begin, Finding};
use super::callbacks::Event;
use super::positions::Failed;
use super::revoke::Revocation;
use super::{Consumer, Partition, check_name};
use crate::lanes::place::Place;

/// What the group's coordinator asked for and the client waits for.
pub(super) enum Rebalance {
    Assign { list: TopicPartitionList, next_try: Instant },
    Revoke(Revocation),
}

/// How long a question that failed waits before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

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
        let begun = match self.begin_all(list) {
            Ok(begun) => begun,
            Err(error) => {
                if let Failed::Kafka(error) = &error
                    && self.is_not_allowed(error, None)
                {
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

    fn take_over(&mut self, begun: Vec<(Arc<str>, i32, Begin)>) {
        let mut list = TopicPartitionList::new();
        let mut stopped = TopicPartitionList::new();
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
            let mut partition = Partition {
                place: Arc::new(Place::new(topic, number, self.last_assignment)),
                queue,
                tracker: begin.tracker,
                outstanding: 0,
                dirty: begin.commit,
                told: false,
                stopped: false,
                epoch: begin.epoch,
                replays_to: None,
                lag: 0,
            };
            match begin.finding {
                Some(Finding::Refused(sentence)) => {
                    stopped.add_partition(&partition.place.topic, number);
                    partition.stop(&self.group, sentence);
                }
                Some(Finding::Replay { to, sentence }) => {
                    partition.replay(&self.group, to, sentence);
                }
                None => {}
            }
            self.partitions.push(partition);
        }
        let answer = match self.client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.client.incremental_assign(&list),
            _ => self.client.assign(&list),
        };
        // Nobody reads what they would bring. It fails if the assignment has, which is told below.
        let _ = self.client.pause(&stopped);
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
