//! Which copies are of one dead letter, and which of them is the newest: it says how the letter
//! stands.

use tidings::cloudevents::Record;
use tidings::dead_letter::DeadLetter;
use tidings::{Offset, PartitionId, RecordAddress};

/// What all copies of one dead letter have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// One event, given up by one handler of one group, in one topic of dead letters. The topic is
    /// part of it because some frameworks name neither a group nor a handler.
    Event {
        /// The topic of the dead letters.
        topic: String,
        /// The consumer group.
        group: Option<String>,
        /// The handler.
        handler: Option<String>,
        /// Where the event lies.
        origin: RecordAddress,
    },
    /// A dead letter that does not tell where its event lies: it stands for itself.
    Own(RecordAddress),
}

impl Identity {
    /// The identity of the dead letter that this record is a copy of.
    pub fn of(record: &Record, letter: &DeadLetter) -> Self {
        let Some(origin) = origin(letter) else { return Self::Own(record.address()) };
        // A mark points at a letter without an origin by the address of the letter itself.
        if letter.topic == record.topic && letter.state.is_some() {
            return Self::Own(origin);
        }
        Self::Event {
            topic: record.topic.clone(),
            group: letter.group.clone(),
            handler: letter.handler.clone(),
            origin,
        }
    }
}

/// Where the event itself lies, when the dead letter tells.
pub fn origin(letter: &DeadLetter) -> Option<RecordAddress> {
    let (PartitionId(partition), Offset(offset)) = (letter.partition?, letter.offset?);
    Some(RecordAddress {
        topic: letter.topic.clone(),
        partition: PartitionId(partition),
        offset: Offset(offset),
    })
}

/// The place of a copy in time. In one partition offsets decide, across partitions (a topic got
/// more of them) only the records' times can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where the copy lies.
    pub address: RecordAddress,
    /// When it was written, by its own account.
    pub timestamp_ms: Option<i64>,
}

impl Place {
    /// The place of a record.
    pub fn of(record: &Record) -> Self {
        Self { address: record.address(), timestamp_ms: record.timestamp_ms }
    }

    /// Was this written after the other?
    pub fn is_after(&self, other: &Self) -> bool {
        match self.address.partition == other.address.partition {
            true => self.address.offset > other.address.offset,
            false => {
                let key = |place: &Self| (place.timestamp_ms, place.address.partition);
                key(self) > key(other)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tidings::dead_letter::LetterState;

    use super::*;

    fn record(partition: i32, offset: i64, timestamp_ms: i64) -> Record {
        Record {
            topic: "orders.payments.dlq".to_owned(),
            partition: PartitionId(partition),
            offset: Offset(offset),
            timestamp_ms: Some(timestamp_ms),
            ..Record::default()
        }
    }

    fn letter(topic: &str, offset: Option<i64>) -> DeadLetter {
        DeadLetter {
            topic: topic.to_owned(),
            partition: offset.map(|_| PartitionId(3)),
            offset: offset.map(Offset),
            ..DeadLetter::default()
        }
    }

    #[test]
    fn copies_of_one_event_in_one_handler_are_one_letter() {
        let of = |letter: &DeadLetter| Identity::of(&record(0, 7, 0), letter);
        let first = letter("orders", Some(401));
        let done = DeadLetter { state: Some(LetterState::Done), ..first.clone() };
        assert_eq!(of(&first), of(&done));
        let other = DeadLetter { handler: Some("told".to_owned()), ..first.clone() };
        assert_ne!(of(&first), of(&other));
        assert_ne!(of(&first), of(&letter("orders", Some(402))));
    }

    #[test]
    fn a_letter_without_an_origin_stands_for_itself_and_its_mark_points_at_it() {
        let plain = letter("orders", None);
        let identity = Identity::of(&record(3, 7, 0), &plain);
        let mark =
            DeadLetter { state: Some(LetterState::Done), ..letter("orders.payments.dlq", Some(7)) };
        assert_eq!(Identity::of(&record(3, 9, 0), &mark), identity);
    }

    #[test]
    fn the_newest_copy_is_told_by_offsets_and_across_partitions_by_times() {
        let after = |a: &Record, b: &Record| Place::of(a).is_after(&Place::of(b));
        assert!(after(&record(0, 8, 5), &record(0, 7, 9)), "clocks may go back");
        assert!(after(&record(1, 1, 9), &record(0, 7, 5)));
        assert!(!after(&record(0, 7, 5), &record(1, 1, 9)));
    }
}
