//! Which batches of idempotent producers are new: a state machine without I/O or clock.
//!
//! Source: KIP-98 and Kafka's behaviour. A producer numbers its records per partition; the log
//! remembers each producer's last five batches, so that a batch sent twice is written once and the
//! second time answered with its first offsets. An unknown producer may begin with any number
//! (retention may have removed what came before), and a new epoch begins at 0.

mod snapshot;

use std::collections::HashMap;

use thiserror::Error;

use crate::batch::BatchHeader;
use crate::limits::BATCHES_PER_PRODUCER;
use crate::offset::Offset;

pub use snapshot::{SnapshotError, decode, encode};

/// The sequence number `delta` after `sequence`; after `i32::MAX` comes 0.
pub fn sequence_after(sequence: i32, delta: i32) -> i32 {
    ((i64::from(sequence) + i64::from(delta)).rem_euclid(SEQUENCES)) as i32
}

/// How many sequence numbers there are.
const SEQUENCES: i64 = i32::MAX as i64 + 1;

/// What a batch's header says about its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequenced {
    /// The producer.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Sequence number of the first record.
    pub first: i32,
    /// Sequence number of the last record.
    pub last: i32,
}

impl Sequenced {
    /// The producer's part of a header; `None` if the batch is not idempotent, or is a control
    /// batch, which has no sequence.
    pub fn of(header: &BatchHeader) -> Option<Sequenced> {
        (header.is_idempotent() && !header.is_control() && header.base_sequence >= 0).then(|| {
            Sequenced {
                producer_id: header.producer_id,
                epoch: header.producer_epoch,
                first: header.base_sequence,
                last: header.last_sequence(),
            }
        })
    }
}

/// A batch that was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Sequence number of its first record.
    pub first: i32,
    /// Sequence number of its last record.
    pub last: i32,
    /// Offset of its first record.
    pub base_offset: Offset,
}

impl Remembered {
    /// Offset of its last record.
    pub fn last_offset(&self) -> Offset {
        let delta = (i64::from(self.last) - i64::from(self.first)).rem_euclid(SEQUENCES);
        self.base_offset.plus(delta)
    }
}

/// One producer's state: small and `Copy`, so that a check can be staged and thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    epoch: i16,
    /// `None`: replayed from the log, where only the producer's own idea of time is known.
    last_seen_ms: Option<i64>,
    batches: [Remembered; BATCHES_PER_PRODUCER],
    count: u8,
}

/// What to do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Append it.
    New,
    /// It was appended before, at these offsets: answer them again.
    Duplicate {
        /// Offset of its first record.
        base_offset: Offset,
        /// Offset of its last record.
        last_offset: Offset,
    },
}

/// Why a batch must not be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SequenceError {
    /// A batch between the last one and this one is missing.
    #[error("sequence {found} came, {expected} is the next one")]
    OutOfOrder {
        /// What was due.
        expected: i32,
        /// What came.
        found: i32,
    },
    /// It was appended before, too long ago to know where.
    #[error("sequence {found} was appended before")]
    Duplicate {
        /// What came.
        found: i32,
    },
    /// A newer instance of the producer has taken over.
    #[error("epoch {found} came, {current} is in force")]
    OldEpoch {
        /// In force.
        current: i16,
        /// What came.
        found: i16,
    },
}

impl Producer {
    fn new(epoch: i16) -> Producer {
        let batches = [Remembered::default(); BATCHES_PER_PRODUCER];
        Producer { epoch, last_seen_ms: None, batches, count: 0 }
    }

    /// The batches remembered, oldest first.
    pub fn batches(&self) -> &[Remembered] {
        &self.batches[..usize::from(self.count)]
    }

    /// The epoch in force.
    pub fn epoch(&self) -> i16 {
        self.epoch
    }

    fn check(&self, batch: &Sequenced) -> Result<Verdict, SequenceError> {
        if batch.epoch < self.epoch {
            return Err(SequenceError::OldEpoch { current: self.epoch, found: batch.epoch });
        }
        let Some(newest) = self.batches().last() else { return Ok(Verdict::New) };
        if batch.epoch > self.epoch {
            return match batch.first {
                0 => Ok(Verdict::New),
                found => Err(SequenceError::OutOfOrder { expected: 0, found }),
            };
        }
        let same = |b: &&Remembered| b.first == batch.first && b.last == batch.last;
        if let Some(known) = self.batches().iter().find(same) {
            let (base_offset, last_offset) = (known.base_offset, known.last_offset());
            return Ok(Verdict::Duplicate { base_offset, last_offset });
        }
        let expected = sequence_after(newest.last, 1);
        if batch.first == expected {
            return Ok(Verdict::New);
        }
        // Sequences wrap, so "before" means: less than half the circle behind.
        let behind = (i64::from(newest.last) - i64::from(batch.last)).rem_euclid(SEQUENCES);
        if behind < SEQUENCES / 2 {
            return Err(SequenceError::Duplicate { found: batch.first });
        }
        Err(SequenceError::OutOfOrder { expected, found: batch.first })
    }

    fn record(&mut self, batch: &Sequenced, base_offset: Offset, now_ms: Option<i64>) {
        if batch.epoch != self.epoch {
            *self = Producer::new(batch.epoch);
        }
        if usize::from(self.count) == BATCHES_PER_PRODUCER {
            self.batches.rotate_left(1);
            self.count -= 1;
        }
        let entry = Remembered { first: batch.first, last: batch.last, base_offset };
        self.batches[usize::from(self.count)] = entry;
        self.count += 1;
        self.last_seen_ms = now_ms;
    }
}

/// All idempotent producers of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producers {
    by_id: HashMap<i64, Producer>,
}

impl Producers {
    /// Nobody yet.
    pub fn new() -> Producers {
        Producers::default()
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// What is known about a producer.
    pub fn find(&self, producer_id: i64) -> Option<&Producer> {
        self.by_id.get(&producer_id)
    }

    /// What to do with a batch; changes nothing.
    ///
    /// # Errors
    /// [`SequenceError`]: the batch must not be appended.
    pub fn check(&self, batch: &Sequenced) -> Result<Verdict, SequenceError> {
        self.by_id.get(&batch.producer_id).map_or(Ok(Verdict::New), |p| p.check(batch))
    }

    /// Takes note that a batch was appended at `base_offset`. `now_ms` is `None` when the log is
    /// replayed: then the first [`Producers::expire`] starts the producer's time.
    pub fn record(&mut self, batch: &Sequenced, base_offset: Offset, now_ms: Option<i64>) {
        self.by_id.entry(batch.producer_id).or_insert_with(|| Producer::new(batch.epoch)).record(
            batch,
            base_offset,
            now_ms,
        );
    }

    /// Forgets producers silent for `expiry_ms`, and the longest silent ones beyond `most`.
    pub fn expire(&mut self, now_ms: i64, expiry_ms: i64, most: usize) {
        self.by_id.retain(|_, producer| {
            let last = *producer.last_seen_ms.get_or_insert(now_ms);
            now_ms.saturating_sub(last) < expiry_ms
        });
        self.limit(most);
    }

    /// Forgets the longest silent producers beyond `most`.
    pub fn limit(&mut self, most: usize) {
        while self.by_id.len() > most {
            let silent = self.by_id.iter().min_by_key(|(id, p)| {
                let last_offset = p.batches().last().map(Remembered::last_offset);
                (p.last_seen_ms, last_offset, **id)
            });
            let Some(id) = silent.map(|(id, _)| *id) else { return };
            self.by_id.remove(&id);
        }
    }
}

/// Checks of several batches that are to be appended together: each sees those before it.
#[derive(Debug)]
pub(crate) struct Staged<'a> {
    producers: &'a Producers,
    touched: Vec<(i64, Producer)>,
}

impl<'a> Staged<'a> {
    pub(crate) fn new(producers: &'a Producers) -> Staged<'a> {
        Staged { producers, touched: Vec::new() }
    }

    /// Checks a batch and, if it is new, remembers it for the next check.
    pub(crate) fn check(
        &mut self,
        batch: &Sequenced,
        base_offset: Offset,
    ) -> Result<Verdict, SequenceError> {
        let at = self.touched.iter().position(|(id, _)| *id == batch.producer_id);
        let known = match at {
            Some(at) => Some(self.touched[at].1),
            None => self.producers.find(batch.producer_id).copied(),
        };
        let verdict = known.map_or(Ok(Verdict::New), |p| p.check(batch))?;
        if verdict == Verdict::New {
            let mut producer = known.unwrap_or_else(|| Producer::new(batch.epoch));
            producer.record(batch, base_offset, None);
            match at {
                Some(at) => self.touched[at].1 = producer,
                None => self.touched.push((batch.producer_id, producer)),
            }
        }
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests;
