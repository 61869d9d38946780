//! A flow for scripts. Each event is a node; where it could not be handled, `dead` says so, and
//! `retrying` where it is tried again by itself.

use serde_json::{Value, json};
use tidings::dead_letter::LetterState;

use super::tree::Node;
use super::{Dead, Scanned};
use crate::record;

/// The object that `flow --json` prints.
pub fn flow(roots: &[Node], scanned: &Scanned) -> Value {
    json!({
        "scanned": {
            "from": scanned.from.map(|time| time.to_string()),
            "to": scanned.to.to_string(),
            "records": scanned.records,
            "topics": scanned.topics,
        },
        "roots": roots.iter().map(node).collect::<Vec<_>>(),
    })
}

/// One node. The depth of a tree is bounded where it is grown.
fn node(node: &Node) -> Value {
    let fact = &node.fact;
    json!({
        "id": fact.id,
        "source": fact.source,
        "type": fact.ty,
        "subject": fact.subject,
        "topic": fact.address.topic,
        "partition": fact.address.partition.0,
        "offset": fact.address.offset.0,
        "time": fact.time.map(|time| time.to_string()),
        "service": record::service(&fact.source),
        "after_ms": node.after_ms,
        "attempts": node.attempts(),
        "copies": node.copies,
        "cause_not_found": node.missing_cause,
        "dead": node.dead.first().map(dead),
        // One handler's failure is the usual case; further ones are not lost.
        "further_dead": node.dead.iter().skip(1).map(dead).collect::<Vec<_>>(),
        "retrying": node.retrying.iter().map(dead).collect::<Vec<_>>(),
        "children": node.children.iter().map(self::node).collect::<Vec<_>>(),
    })
}

fn dead(dead: &Dead) -> Value {
    json!({
        "topic": dead.address.topic,
        "partition": dead.address.partition.0,
        "offset": dead.address.offset.0,
        "reason": dead.reason,
        "service": dead.service,
        "attempts": dead.attempts,
        "state": dead.state.map(LetterState::as_str),
    })
}
