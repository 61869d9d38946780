//! Reading: from the client's partition queues to the lanes, as far as there is room; and the
//! lanes' reports back into the trackers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use super::begin::forget_position;
use super::tracker::Taken;
use super::{Consumer, Partition};
use crate::lanes::pack::Fetched;
use crate::lanes::place::Place;
use crate::lanes::{End, Lanes, Report};
use crate::service::limits::{BROKER_CALL, ROUND_MAX_BYTES, TURN_MAX_BYTES, TURN_MAX_RECORDS};

impl Consumer {
    /// One round: a turn of each partition. Shards are told once of all that came for them, as
    /// telling costs both sides more than an event. Returns whether anything was there.
    pub(super) fn read(&mut self) -> bool {
        let count = self.partitions.len();
        self.turn = (self.turn + 1) % count.max(1);
        let (mut busy, mut bytes) = (false, 0);
        for step in 0..count {
            if !self.in_work.has_room() {
                // A report will ring.
                break;
            }
            let taken = self.read_partition((self.turn + step) % count);
            busy |= taken.is_some();
            bytes += taken.unwrap_or(0);
            if bytes >= ROUND_MAX_BYTES {
                self.hand_out();
                bytes = 0;
            }
        }
        self.hand_out();
        busy
    }

    /// Takes what one partition has, up to a limit. Returns how many bytes that was; nothing if
    /// nothing was there.
    fn read_partition(&mut self, index: usize) -> Option<usize> {
        let partition = &mut self.partitions[index];
        if partition.stopped || !partition.place.is_active() {
            return None;
        }
        let (mut records, mut bytes) = (0, 0);
        let mut failure = None;
        let mut busy = false;
        while records < TURN_MAX_RECORDS
            && bytes < TURN_MAX_BYTES
            && partition.tracker.admits_next()
        {
            match partition.queue.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => match partition.tracker.take(message.offset()) {
                    Taken::Run => {
                        records += 1;
                        bytes += pack(&mut self.lanes, &partition.place, &message);
                    }
                    Taken::AlreadyFinished => partition.dirty = true,
                },
                Some(Err(error)) => {
                    failure = Some(error);
                    break;
                }
            }
            busy = true;
        }
        self.took(index, records, bytes);
        if let Some(error) = failure {
            // It may ask the broker, which takes time.
            self.hand_out();
            self.partition_error(index, &error);
        }
        busy.then_some(bytes)
    }

    /// Counts records that were packed.
    fn took(&mut self, index: usize, records: usize, bytes: usize) {
        if records > 0 {
            self.partitions[index].outstanding += records;
            self.in_work.records += records;
            self.in_work.bytes += bytes;
            self.group.meters.received(records as u64);
        }
    }

    fn hand_out(&mut self) {
        self.lanes_gone |= !self.lanes.hand_out();
    }

    /// A record that came through the common queue, as partitions' queues are split off before
    /// they are assigned, would be a mistake of ours; it is handled all the same.
    pub(super) fn take_stray(&mut self, message: &BorrowedMessage<'_>) {
        let (topic, number) = (message.topic(), message.partition());
        let Some(index) = self.partitions.iter().position(|p| p.is(topic, number)) else {
            return;
        };
        let partition = &mut self.partitions[index];
        if !partition.tracker.is_new(message.offset()) {
            return;
        }
        if partition.tracker.take(message.offset()) == Taken::Run {
            let bytes = pack(&mut self.lanes, &partition.place, message);
            self.took(index, 1, bytes);
            self.hand_out();
        }
    }

    /// Brings the lanes' reports to the trackers. Returns whether there were any.
    pub(super) fn take_reports(&mut self) -> bool {
        let mut reports = std::mem::take(&mut self.reports);
        self.inbox.swap_reports(&mut reports);
        let busy = !reports.is_empty();
        self.group.meters.stats().ended(reports.len() as u64);
        let mut at = 0;
        for report in reports.drain(..) {
            self.in_work.records -= 1;
            self.in_work.bytes -= report.bytes;
            at = self.take_report(&report, at);
        }
        self.reports = reports;
        busy
    }

    /// Reports come in runs of one partition, so the last one's place is looked at first. Those
    /// of an earlier assignment find nobody, and are thrown away.
    fn take_report(&mut self, report: &Report, guess: usize) -> usize {
        let is_it = |p: &Partition| p.place.assignment == report.assignment;
        let index = match self.partitions.get(guess) {
            Some(partition) if is_it(partition) => guess,
            _ => match self.partitions.iter().position(is_it) {
                Some(index) => index,
                None => return guess,
            },
        };
        let partition = &mut self.partitions[index];
        partition.outstanding -= 1;
        if report.end == End::Finished {
            partition.tracker.finish(report.offset);
            partition.dirty = true;
        }
        index
    }

    fn partition_error(&mut self, index: usize, error: &KafkaError) {
        let place = std::sync::Arc::clone(&self.partitions[index].place);
        let (topic, number) = (&*place.topic, place.partition);
        if self.is_not_allowed(error, Some(topic)) {
            return;
        }
        let partition = &mut self.partitions[index];
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AutoOffsetReset) {
            let (group, what) = (&self.group.name, format!("cannot read {topic}[{number}]"));
            self.link.say(&what, format_args!("group {group} {what}: {error}; going on"));
            return;
        }
        let wanted = partition.tracker.next_offset();
        let there = self.client.fetch_watermarks(topic, number, BROKER_CALL).ok();
        let mut sentence = lost_sentence(&self.group.name, topic, number, wanted, there);
        if self.positions.is_some() {
            let forget = forget_position(&self.group.name, topic, number);
            sentence.push_str(&format!("; and in the service's store: {forget}"));
        }
        partition.stop(&self.group, sentence);
    }
}

/// Copies a record for its lane. Returns its size.
fn pack(lanes: &mut Lanes, place: &Arc<Place>, message: &BorrowedMessage<'_>) -> usize {
    let (packer, seed) = lanes.packer(place, message.key(), message.offset());
    let fetched = |headers| Fetched {
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key(),
        value: message.payload(),
        headers,
    };
    let Some(headers) = message.headers() else {
        return packer.push(place, seed, fetched(None.into_iter().flatten()));
    };
    let mark = packer.mark();
    // The client panics on a header whose name is no UTF-8. Such a record is no event; it goes to
    // the dead letters like others that cannot be read, and takes nobody along.
    let packed = catch_unwind(AssertUnwindSafe(|| {
        let named = headers.iter().map(|header| (header.key, header.value));
        packer.push(place, seed, fetched(Some(named).into_iter().flatten()))
    }));
    packed.unwrap_or_else(|_| {
        packer.rewind(mark);
        packer.push(place, seed, fetched(None.into_iter().flatten()))
    })
}

/// Which offsets were lost, and what to do.
fn lost_sentence(
    group: &str,
    topic: &str,
    partition: i32,
    wanted: i64,
    there: Option<(i64, i64)>,
) -> String {
    let what = match there {
        Some((start, _)) if wanted < start => format!(
            "offsets {wanted} to {} of {topic}[{partition}] were lost before group `{group}` had \
             handled them (retention or a deletion took them; the partition begins at {start})",
            start - 1
        ),
        Some((_, end)) => format!(
            "group `{group}` is at offset {wanted} of {topic}[{partition}], which ends at {end}: \
             offsets {end} to {} were lost (the topic was created anew, or its log was cut)",
            wanted - 1
        ),
        None => format!("offset {wanted} of {topic}[{partition}] is gone for group `{group}`"),
    };
    format!(
        "{what}; the partition stands still. To accept the loss, stop the service and move the \
         group: tidings group reset {group} --topic {topic} --to beginning"
    )
}
