//! Which events belong to a flow: from those asked for, along causes, effects and the correlation
//! that all events of one flow share, until nothing new turns up.

use std::collections::{HashMap, HashSet};

use super::index::Fact;

/// The positions in `facts` of all events that are connected with one of the wanted ids.
pub fn connected(facts: &[Fact], wanted: &[String]) -> HashSet<usize> {
    let mut by_id: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_cause: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_correlation: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, fact) in facts.iter().enumerate() {
        by_id.entry(&fact.id).or_default().push(at);
        if let Some(cause) = &fact.cause {
            by_cause.entry(cause).or_default().push(at);
        }
        if let Some(correlation) = &fact.correlation {
            by_correlation.entry(correlation).or_default().push(at);
        }
    }
    // Each id is followed once, so cycles of causes, which nobody should write, end as well.
    let mut followed: HashSet<&str> = HashSet::new();
    let mut found: HashSet<usize> = HashSet::new();
    let mut next: Vec<&str> = wanted.iter().map(String::as_str).collect();
    while let Some(id) = next.pop() {
        if !followed.insert(id) {
            continue;
        }
        for index in [&by_id, &by_cause, &by_correlation] {
            for &at in index.get(id).into_iter().flatten() {
                if found.insert(at) {
                    let fact = &facts[at];
                    next.push(&fact.id);
                    next.extend(fact.cause.as_deref());
                    next.extend(fact.correlation.as_deref());
                }
            }
        }
    }
    found
}
