//! Where the two answer differently. A test or scenario claims an answer for each broker; the
//! reason why it stays is data. Neither stands alone: an answer without a reason fails the run, and
//! so does a reason that no answer bears out any more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Side;
use crate::{Outcome, place};

/// A difference that stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Difference {
    pub(super) id: String,
    /// What is asked, for people.
    pub(super) what: String,
    pub(super) why: String,
}

/// What each broker answered, by the difference's id.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answers(BTreeMap<String, BTreeMap<Side, String>>);

/// All of `clients/differences.toml`, in its order.
pub(super) fn listed() -> Outcome<Vec<Difference>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        difference: Vec<Difference>,
    }
    let text = std::fs::read_to_string(place::root().join("clients/differences.toml"))?;
    Ok(toml::from_str::<File>(&text)?.difference)
}

impl Answers {
    pub(super) fn add(&mut self, side: Side, id: &str, answer: &str) -> Outcome {
        let before = self.0.entry(id.to_owned()).or_default().insert(side, answer.to_owned());
        match before {
            Some(before) if before != answer => {
                Err(format!("{} answers {id} by `{before}` and by `{answer}`", side.name()).into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn of(&self, side: Side, id: &str) -> Option<&str> {
        self.0.get(id)?.get(&side).map(String::as_str)
    }

    /// Every answer has its reason, and every reason its answers.
    pub(super) fn check(&self, listed: &[Difference]) -> Outcome {
        let mut wrong = Vec::new();
        for id in self.0.keys() {
            if !listed.iter().any(|difference| difference.id == *id) {
                wrong.push(format!("{id} has no reason in clients/differences.toml"));
            }
        }
        for Difference { id, .. } in listed {
            match (self.of(Side::Embedded, id), self.of(Side::Kafka, id)) {
                (Some(ours), Some(theirs)) if ours == theirs => {
                    wrong.push(format!("{id} is no difference: both answer `{ours}`"));
                }
                (Some(_), Some(_)) => {}
                _ => wrong.push(format!("{id} was not shown by this run on both brokers")),
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
    }
}
