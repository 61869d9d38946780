//! All dead letters of some topics, each as its newest copy tells it. The read is bounded and what
//! it left out is known.

use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use tidings::RecordAddress;
use tidings::cloudevents::Record;

use super::identity::Identity;
use super::letter::Letter;
use super::range::{self, Read};
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::{self, Screen};
use crate::record;
use crate::{event, limits};

/// Dead letters by what their copies have in common.
#[derive(Debug, Default)]
pub struct Index {
    letters: HashMap<Identity, Letter>,
    /// Records in the topics that are no dead letters.
    pub others: u64,
}

impl Index {
    /// Reads the topics, and from the named records on in any case.
    pub fn scan(
        cluster: &Cluster,
        topics: Vec<String>,
        since: Option<Timestamp>,
        named: &[RecordAddress],
        screen: &Screen,
        mut see: impl FnMut(&Record, &Identity),
    ) -> Result<(Self, Read), Failure> {
        let (plan, read) = range::plan(cluster, topics, since, named)?;
        let bar = screen.progress_bar(plan.records(), "reading");
        let mut index = Self::default();
        plan.run(&bar, |message| {
            let record = record::record(message);
            if let Some(identity) = index.add(&record) {
                see(&record, &identity);
            }
            match index.letters.len() < limits::DEAD_LETTERS {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        bar.finish_and_clear();
        if index.letters.len() >= limits::DEAD_LETTERS && read.records > index.seen() {
            let limit = output::grouped(limits::DEAD_LETTERS as i64);
            return Err(Failure::new(format!("there are more than {limit} dead letters"))
                .help("read fewer:  name one topic, or --since 2h"));
        }
        Ok((index, read))
    }

    /// Takes a copy in; its identity, if it is one.
    pub fn add(&mut self, record: &Record) -> Option<Identity> {
        let Some(letter) = Letter::of(record) else {
            self.others += 1;
            return None;
        };
        let identity = letter.identity.clone();
        match self.letters.get_mut(&identity) {
            Some(known) => known.merge(letter),
            None => drop(self.letters.insert(identity.clone(), letter)),
        }
        Some(identity)
    }

    /// One letter.
    pub fn letter(&self, identity: &Identity) -> Option<&Letter> {
        self.letters.get(identity)
    }

    /// All letters, the oldest first, topic by topic.
    pub fn into_letters(self) -> Vec<Letter> {
        let mut letters: Vec<Letter> = self.letters.into_values().collect();
        letters.sort_by(|a, b| {
            let key = |letter: &Letter| (letter.first_failed, letter.newest.address.clone());
            a.topic().cmp(b.topic()).then_with(|| key(a).cmp(&key(b)))
        });
        letters
    }

    fn seen(&self) -> u64 {
        self.others + self.letters.values().map(|letter| u64::from(letter.copies)).sum::<u64>()
    }
}

/// The record at an address; `None` when there is none.
pub fn record_at(cluster: &Cluster, address: &RecordAddress) -> Result<Option<Record>, Failure> {
    let Some(plan) = event::at_address(cluster, &address.to_string())? else { return Ok(None) };
    let mut found = None;
    plan.run(&indicatif::ProgressBar::hidden(), |message| {
        found = Some(record::record(message));
        ControlFlow::Break(())
    })?;
    Ok(found)
}
