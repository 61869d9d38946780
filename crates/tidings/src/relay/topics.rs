//! Which topics are there: asked before anything is sent, since a record for one that is missing
//! would make all others wait until the client gives up on it.

use std::collections::HashMap;
use std::time::Instant;

use super::limits::TOPIC_KNOWN;
use crate::admin::{Admin, AdminError};

pub(super) struct Topics {
    admin: Admin,
    create: bool,
    known: HashMap<String, Instant>,
}

impl Topics {
    pub(super) fn new(admin: Admin, create: bool) -> Topics {
        Topics { admin, create, known: HashMap::new() }
    }

    /// Those that records cannot go to, with the reason. A broker that cannot be asked is no
    /// reason: the records wait for it as well.
    pub(super) async fn refused<'a>(
        &mut self,
        wanted: impl Iterator<Item = &'a str>,
    ) -> HashMap<String, String> {
        let fresh = |known: &Instant| known.elapsed() < TOPIC_KNOWN;
        let mut unknown: Vec<&str> =
            wanted.filter(|topic| !self.known.get(*topic).is_some_and(fresh)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        let mut refused = HashMap::new();
        if unknown.is_empty() {
            return refused;
        }
        // All at once first: while the broker is away, each question takes its whole time-out.
        let missing = match self.admin.missing(unknown.iter().copied()).await {
            Ok(missing) => missing,
            Err(AdminError::Connect(_) | AdminError::Ask { .. }) => return refused,
            // One of them may not be known to us: which one, it is asked alone.
            Err(_) => unknown.iter().map(|topic| (*topic).to_owned()).collect(),
        };
        for topic in unknown {
            let asked = match missing.iter().any(|missing| missing == topic) {
                false => Ok(()),
                true if self.create => self.admin.ensure([topic]).await.map(drop),
                true => self.admin.require([topic]).await,
            };
            match asked {
                Ok(()) => {
                    self.known.insert(topic.to_owned(), Instant::now());
                }
                Err(AdminError::Connect(_) | AdminError::Ask { .. }) => {}
                Err(error) => {
                    refused.insert(topic.to_owned(), error.to_string());
                }
            }
        }
        refused
    }

    /// Asked again next time: the broker said that it is not there.
    pub(super) fn forget(&mut self, topic: &str) {
        self.known.remove(topic);
    }
}
