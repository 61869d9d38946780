//! Which dead letters a command means: by their ids or places, by a fingerprint, by a topic.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tidings::RecordAddress;
use tidings::cloudevents::Record;

use super::identity::Identity;
use super::index::{self, Index};
use super::letter::Letter;
use super::{show, topics};
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::{self, Screen};
use crate::position;

/// Flags that say which dead letters are meant.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("which").required(true).multiple(true)
        .args(["what", "fingerprint", "all_of"])
)]
pub struct Which {
    /// Dead letters, each by its event's id, the beginning of that, or the place of a copy
    #[arg(value_name = "ID|ADDRESS", conflicts_with_all = ["fingerprint", "all_of"])]
    pub what: Vec<String>,
    /// All with this fingerprint (see `tidings dlq groups`); with --all-of, those of that topic
    #[arg(long, value_name = "HEX")]
    pub fingerprint: Option<String>,
    /// All that wait in this topic
    #[arg(long, value_name = "TOPIC")]
    pub all_of: Option<String>,
    /// At most so many, the oldest first
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Read copies from this time on [default: all while they are few, else the newest ones]
    #[arg(long, value_name = "TIME", value_parser = position::since)]
    pub since: Option<Timestamp>,
}

/// Reads the topics. The letters that are meant, whatever their state, and a remark on what was not
/// read.
pub fn meant(
    cluster: &Cluster,
    which: &Which,
    screen: &Screen,
) -> Result<(Vec<Letter>, Option<String>), Failure> {
    let (places, ids) = places_and_ids(cluster, &which.what)?;
    let mut named: Vec<String> = which.all_of.iter().cloned().collect();
    named.extend(places.iter().map(|(record, _)| record.topic.clone()));
    let mut chosen = topics::chosen(cluster, &named)?;
    if !ids.is_empty() {
        chosen.extend(topics::chosen(cluster, &[])?);
        chosen.sort();
        chosen.dedup();
    }
    let named: Vec<RecordAddress> = places.iter().map(|(record, _)| record.address()).collect();
    let (index, read) = Index::scan(cluster, chosen, which.since, &named, screen, |_, _| {})?;
    let identities: BTreeSet<&Identity> = places.iter().map(|(_, identity)| identity).collect();
    let letters = index.into_letters();
    let by_id = ids_of(&letters, &ids)?;
    let is_meant = |letter: &Letter| match (&which.fingerprint, &which.all_of) {
        (Some(fingerprint), _) => letter.fingerprint == *fingerprint,
        (None, Some(_)) => true,
        (None, None) => {
            let id = letter.id.as_deref().unwrap_or_default();
            identities.contains(&letter.identity) || by_id.contains(id)
        }
    };
    let meant: Vec<Letter> = letters.into_iter().filter(is_meant).collect();
    if let (true, Some(asked)) = (meant.is_empty(), &which.fingerprint) {
        let asked = output::printable(asked);
        let sentence = format!("no dead letter has the fingerprint `{asked}`");
        return Err(
            Failure::not_found(sentence).help("see those that there are:  tidings dlq groups")
        );
    }
    Ok((meant, read.remark()))
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
    use super::super::letter::tests::{copy, letter};
    use super::*;

    fn with(offset: i64) -> Letter {
        let (offset_text, id) = (offset.to_string(), format!("event-{offset}"));
        letter(&[copy(offset, &[("__connect.errors.offset", &offset_text), ("ce_id", &id)])])
    }

    #[test]
    fn words_are_ids_or_their_beginnings() {
        let letters = [1, 10, 2].map(with);
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
