//! Which dead letters are meant, and which of them may be published again.

use super::super::letter::Letter;
use super::super::meant::meant;
use super::RepublishArgs;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::Screen;

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
        let (meant, remark) = meant(cluster, &args.which, screen)?;
        let mut selection = Self::among(meant, args.which.limit);
        selection.remark = remark;
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
}
