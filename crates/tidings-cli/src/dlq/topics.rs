//! Which topics hold dead letters: those that are named, else those whose names say so.

use tidings::dead_letter;

use crate::cluster::Cluster;
use crate::failure::Failure;

/// The ends of names: ours, and Spring's old and new ones.
const ENDS: [&str; 3] = [".dlq", ".dlt", "-dlt"];

/// Does the name say that dead letters are in it?
pub fn looks_like_dead_letters(topic: &str) -> bool {
    let lower = topic.to_ascii_lowercase();
    ENDS.iter().any(|end| lower.len() > end.len() && lower.ends_with(end))
}

/// The topics to read: the named ones, which must exist, else all that look like it.
pub fn chosen(cluster: &Cluster, named: &[String]) -> Result<Vec<String>, Failure> {
    if named.is_empty() {
        return Ok(cluster
            .topics()
            .keys()
            .filter(|name| looks_like_dead_letters(name))
            .cloned()
            .collect());
    }
    let mut topics = named.to_vec();
    topics.sort();
    topics.dedup();
    for topic in &topics {
        cluster.partitions(topic)?;
    }
    Ok(topics)
}

/// The topics that hold the dead letters of this one, by their names: people name the topic that
/// they know.
pub fn of_source<'a>(cluster: &'a Cluster, topic: &str) -> Vec<&'a str> {
    let start = dead_letter::topic(topic, "");
    let start = start.trim_end_matches(".dlq");
    cluster
        .topics()
        .keys()
        .map(String::as_str)
        .filter(|name| looks_like_dead_letters(name))
        .filter(|name| {
            let rest = name.strip_prefix(topic);
            name.starts_with(start) || rest.is_some_and(|rest| rest.starts_with('-'))
        })
        .collect()
}

/// What to say when there is no topic to read.
pub fn none(cluster: &Cluster) -> String {
    format!(
        "no topic at {} looks like one of dead letters (*.dlq, *.DLT, *-dlt); one of another name \
         is read when it is named",
        cluster.bootstrap()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        for (topic, yes) in [
            ("orders.payments.dlq", true),
            ("orders.DLT", true),
            ("orders-dlt", true),
            ("orders", false),
            ("dlq", false),
            (".dlq", false),
            ("dlq-orders", false),
            ("orders.dlq.old", false),
        ] {
            assert_eq!(looks_like_dead_letters(topic), yes, "{topic}");
        }
    }
}
