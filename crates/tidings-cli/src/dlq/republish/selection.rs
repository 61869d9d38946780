//! Which dead letters are meant, and which of them may be published again.

use std::collections::BTreeSet;

use tidings::RecordAddress;
use tidings::cloudevents::Record;

use super::super::identity::Identity;
use super::super::index::{self, Index};
use super::super::letter::Letter;
use super::super::{show, topics};
use super::RepublishArgs;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::{self, Screen};

/// What was chosen, and what was not, with the reason.
#[derive(Debug, Default)]
pub struct Selection {
    /// To be republished, the oldest first.
    pub letters: Vec<Letter>,
    /// Events of services with a store that are not over.
    pub parked: usize,
    /// Done or discarded, so by an earlier run too.
    pub over: usize,
    /// Without a value.
    pub without_data: usize,
    /// More than the limit.
    pub beyond: usize,
    /// What was not read.
    pub remark: Option<String>,
}

impl Selection {
    /// Reads the topics and chooses.
    pub fn of(cluster: &Cluster, args: &RepublishArgs, screen: &Screen) -> Result<Self, Failure> {
        let (places, ids) = places_and_ids(cluster, &args.what)?;
        let mut named: Vec<String> = args.all_of.iter().cloned().collect();
        named.extend(places.iter().map(|(record, _)| record.topic.clone()));
        let mut chosen = topics::chosen(cluster, &named)?;
        if !ids.is_empty() {
            chosen.extend(topics::chosen(cluster, &[])?);
            chosen.sort();
            chosen.dedup();
        }
        let named: Vec<RecordAddress> = places.iter().map(|(record, _)| record.address()).collect();
        let (index, read) = Index::scan(cluster, chosen, args.since, &named, screen, |_, _| {})?;
        let identities: BTreeSet<&Identity> = places.iter().map(|(_, identity)| identity).collect();
        let letters = index.into_letters();
        let by_id = ids_of(&letters, &ids)?;
        let is_meant = |letter: &Letter| match (&args.fingerprint, &args.all_of) {
            (Some(fingerprint), _) => letter.fingerprint == *fingerprint,
            (None, Some(_)) => true,
            (None, None) => {
                let id = letter.id.as_deref().unwrap_or_default();
                identities.contains(&letter.identity) || by_id.contains(id)
            }
        };
        let meant: Vec<Letter> = letters.into_iter().filter(is_meant).collect();
        if meant.is_empty() && args.fingerprint.is_some() {
            let asked = args.fingerprint.as_deref().unwrap_or_default();
            let asked = output::printable(asked);
            return Err(Failure::not_found(format!(
                "no dead letter has the fingerprint `{asked}`"
            ))
            .help("see those that there are:  tidings dlq groups"));
        }
        let mut selection = Self::among(meant, args.limit);
        selection.remark = read.remark();
        Ok(selection)
    }

    /// Leaves out what may not be published again.
    fn among(mut meant: Vec<Letter>, limit: Option<usize>) -> Self {
        let mut selection = Self::default();
        meant.sort_by_cached_key(|letter| (letter.first_failed, letter.newest.address.clone()));
        for letter in meant {
            let count = match () {
                () if letter.is_over() => &mut selection.over,
                () if letter.is_parked() => &mut selection.parked,
                () if !letter.has_data => &mut selection.without_data,
                () if limit.is_some_and(|limit| selection.letters.len() >= limit) => {
                    &mut selection.beyond
                }
                () => {
                    selection.letters.push(letter);
                    continue;
                }
            };
            *count += 1;
        }
        selection
    }
}

/// Copies by their address, and what is left: ids. An address must be one of a dead letter.
type Places = Vec<(Record, Identity)>;

fn places_and_ids(cluster: &Cluster, what: &[String]) -> Result<(Places, Vec<String>), Failure> {
    let mut places = Vec::new();
    let mut ids = Vec::new();
    for text in what {
        let Ok(address) = text.parse::<RecordAddress>() else {
            ids.push(text.clone());
            continue;
        };
        let record = index::record_at(cluster, &address)?;
        let Some((record, letter)) =
            record.and_then(|record| Letter::of(&record).map(|letter| (record, letter)))
        else {
            return Err(Failure::not_found(format!("no dead letter at {address}"))
                .help("see what waits:  tidings dlq ls"));
        };
        places.push((record, letter.identity));
    }
    Ok((places, ids))
}

/// The ids of events that these words, ids or their beginnings, mean.
fn ids_of<'a>(letters: &'a [Letter], words: &'a [String]) -> Result<BTreeSet<String>, Failure> {
    let mut meant = BTreeSet::new();
    for word in words {
        let all = letters.iter().filter_map(|letter| letter.id.as_deref());
        let found: BTreeSet<String> = all
            .filter(|id| !word.is_empty() && id.starts_with(word.as_str()))
            .map(str::to_owned)
            .collect();
        match found.len() {
            _ if found.contains(word) => drop(meant.insert(word.clone())),
            0 => {
                let word = output::printable(word);
                return Err(Failure::not_found(format!("no dead letter `{word}`"))
                    .help("see what waits:  tidings dlq ls"));
            }
            1 => meant.extend(found),
            _ => return Err(show::ambiguous(word, &found)),
        }
    }
    Ok(meant)
}

#[cfg(test)]
mod tests {
    use super::super::super::letter::tests::{copy, letter};
    use super::*;

    fn with(offset: i64, headers: &[(&str, &str)]) -> Letter {
        let offset_text = offset.to_string();
        let id = format!("event-{offset}");
        let own = [("__connect.errors.offset", offset_text.as_str()), ("ce_id", id.as_str())];
        letter(&[copy(offset, &[&own, headers].concat())])
    }

    #[test]
    fn what_is_parked_over_or_empty_is_not_republished() {
        let mut empty = with(9, &[]);
        empty.has_data = false;
        let state = |word| [("tidings-dlq-state", word)];
        let meant = vec![
            with(1, &state("parked")),
            with(2, &state("retrying")),
            with(3, &state("edited")),
            with(4, &state("done")),
            with(5, &state("discarded")),
            with(8, &[]),
            with(7, &[]),
            with(6, &[]),
            empty,
        ];
        let selection = Selection::among(meant, Some(2));
        let offsets: Vec<i64> =
            selection.letters.iter().map(|letter| letter.newest.address.offset.0).collect();
        assert_eq!(offsets, [6, 7], "the oldest first");
        let counts = (selection.parked, selection.over, selection.without_data, selection.beyond);
        assert_eq!(counts, (3, 2, 1, 1));
    }

    #[test]
    fn words_are_ids_or_their_beginnings() {
        let letters = [with(1, &[]), with(10, &[]), with(2, &[])];
        let ids = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            ids_of(&letters, &words).map_err(|failure| failure.code() as u8)
        };
        let set = |ids: &[&str]| Ok(ids.iter().map(|id| (*id).to_owned()).collect());
        assert_eq!(ids(&["event-1"]), set(&["event-1"]), "an id counts before a beginning");
        assert_eq!(ids(&["event-2", "event-10"]), set(&["event-2", "event-10"]));
        assert_eq!(ids(&["event"]), Err(2));
        assert_eq!(ids(&["nothing"]), Err(3));
        assert_eq!(ids(&[""]), Err(3));
    }
}
