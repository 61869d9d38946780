//! What a scan keeps of each event: who it is, what caused it and where it lies, without its data.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use tidings::RecordAddress;

use super::{Dead, Target};
use crate::dlq::{Identity, Place};
use crate::record::{self, Seen};

/// One event, or one copy of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Unique together with the source.
    pub id: String,
    /// Who published it.
    pub source: String,
    /// The full type.
    pub ty: String,
    /// What it is about.
    pub subject: Option<String>,
    /// Where it lies.
    pub address: RecordAddress,
    /// When it was published, as far as is known.
    pub time: Option<Timestamp>,
    /// What all events of the flow have in common.
    pub correlation: Option<String>,
    /// The id of its direct cause.
    pub cause: Option<String>,
    /// How many attempts its handler needed to publish it, when that is known.
    pub attempts: Option<u32>,
}

/// All events of a scan, and which of them were asked for.
#[derive(Debug, Default)]
pub struct Index {
    /// The events, in the order in which they were read.
    pub facts: Vec<Fact>,
    /// Dead letters: the event as the newest copy tells it, and what happened to it.
    pub dead: Vec<(Fact, Dead)>,
    letters: HashMap<Identity, (usize, Place)>,
    /// The ids that were asked for.
    pub wanted: Vec<String>,
}

impl Index {
    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.facts.len() + self.dead.len()
    }

    /// Takes a record in, if it is an event.
    pub fn add(&mut self, seen: &Seen, target: &Target) {
        let Ok(event) = &seen.event else { return };
        let record = &seen.record;
        let is_wanted = match target {
            Target::Id(id) => event.id.as_str() == id,
            Target::Key(key) => key.matches(record.key.as_deref(), event.subject.as_deref()),
        };
        if is_wanted {
            self.wanted.push(event.id.as_str().to_owned());
        }
        let published =
            event.recorded_at().and_then(|time| Timestamp::from_microsecond(time.as_micros()).ok());
        let fact = Fact {
            id: event.id.as_str().to_owned(),
            source: event.source.clone(),
            ty: event.ty.clone(),
            subject: event.subject.clone(),
            address: record.address(),
            time: published.or_else(|| record::timestamp(record)),
            correlation: event.extensions.get("correlationid").cloned(),
            cause: event.causation_id().map(str::to_owned),
            attempts: None,
        };
        match Dead::of(record).zip(Dead::identity(record)) {
            Some((dead, identity)) => self.add_dead(fact, dead, identity, Place::of(record)),
            None => self.facts.push(fact),
        }
    }

    /// Only the newest copy counts: it says how the dead letter stands.
    fn add_dead(&mut self, fact: Fact, dead: Dead, identity: Identity, place: Place) {
        match self.letters.entry(identity) {
            Entry::Vacant(entry) => {
                entry.insert((self.dead.len(), place));
                self.dead.push((fact, dead));
            }
            Entry::Occupied(mut entry) => {
                let (at, newest) = entry.get_mut();
                if place.is_after(newest) {
                    *newest = place;
                    self.dead[*at] = (fact, dead);
                }
            }
        }
    }
}
