//! From a heap of events to trees of causes and effects. Events whose cause was not found are roots
//! of their own and say so; dead letters hang on the event that could not be handled.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::Dead;
use super::closure;
use super::index::{Fact, Index};
use crate::limits;

/// One event with everything that it caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The event; the first copy of it.
    pub fact: Fact,
    /// How often it was found. More than once is what "at least once" means.
    pub copies: u32,
    /// Where it could not be handled, and is given up or waits for a person.
    pub dead: Vec<Dead>,
    /// Where it could not be handled until now, and is tried again by itself.
    pub retrying: Vec<Dead>,
    /// A cause that is named and was not found.
    pub missing_cause: Option<String>,
    /// Milliseconds after the root.
    pub after_ms: Option<i64>,
    /// What it caused, by time.
    pub children: Vec<Node>,
}

impl Node {
    /// How many attempts were needed, when that is known: of the handler that published it, or of
    /// the one that gave it up.
    pub fn attempts(&self) -> Option<u32> {
        let letter = self.dead.first().or(self.retrying.first());
        self.fact.attempts.or_else(|| letter.and_then(|letter| letter.attempts))
    }
}

/// Builds the trees of the flows that the wanted events belong to, in the order of their roots.
pub fn grow(index: Index) -> Vec<Node> {
    let Index { facts, dead, wanted, .. } = index;
    let (known, dead) = with_dead_only(facts, dead);
    let found = closure::connected(&known, &wanted);
    let mut nodes = distinct(known, &found);
    attach(&mut nodes, dead);
    let mut forest = Forest::of(nodes);
    let mut roots = Vec::new();
    while let Some(at) = forest.next_root() {
        let mut root = forest.take(at);
        let start = root.fact.time;
        set_after(&mut root, start);
        roots.push(root);
    }
    roots
}

/// An event whose original is not in the range is known by its dead letter alone.
fn with_dead_only(mut facts: Vec<Fact>, dead: Vec<(Fact, Dead)>) -> (Vec<Fact>, Vec<(Fact, Dead)>) {
    let known: HashSet<(String, String)> =
        facts.iter().map(|fact| (fact.source.clone(), fact.id.clone())).collect();
    for (fact, letter) in &dead {
        if !known.contains(&(fact.source.clone(), fact.id.clone())) {
            let address = letter.original.clone().unwrap_or_else(|| fact.address.clone());
            facts.push(Fact { address, ..fact.clone() });
        }
    }
    (facts, dead)
}

/// One node per identity (source, id), made from its first copy in the order of addresses.
fn distinct(facts: Vec<Fact>, found: &HashSet<usize>) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for (at, fact) in facts.into_iter().enumerate() {
        if !found.contains(&at) {
            continue;
        }
        let identity = (fact.source.clone(), fact.id.clone());
        match places.get(&identity) {
            Some(&place) => {
                let node = &mut nodes[place];
                node.copies += 1;
                if fact.address < node.fact.address {
                    node.fact = fact;
                }
            }
            None => {
                places.insert(identity, nodes.len());
                nodes.push(Node {
                    fact,
                    copies: 1,
                    dead: Vec::new(),
                    retrying: Vec::new(),
                    missing_cause: None,
                    after_ms: None,
                    children: Vec::new(),
                });
            }
        }
    }
    nodes.sort_by(|a, b| (a.fact.time, &a.fact.address).cmp(&(b.fact.time, &b.fact.address)));
    nodes
}

fn attach(nodes: &mut [Node], dead: Vec<(Fact, Dead)>) {
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        places.insert((node.fact.source.clone(), node.fact.id.clone()), at);
    }
    for (fact, letter) in dead {
        let Some(&at) = places.get(&(fact.source, fact.id)) else { continue };
        if letter.is_retrying() {
            nodes[at].retrying.push(letter);
        } else if !letter.is_done() {
            nodes[at].dead.push(letter);
        }
    }
    for node in nodes {
        for letters in [&mut node.dead, &mut node.retrying] {
            letters.sort_by(|a, b| (a.time, &a.address).cmp(&(b.time, &b.address)));
        }
    }
}

/// Nodes that are not in a tree yet.
struct Forest {
    nodes: Vec<Option<Node>>,
    children: HashMap<usize, Vec<usize>>,
    roots: Vec<usize>,
}

impl Forest {
    fn of(mut nodes: Vec<Node>) -> Self {
        let mut by_id: HashMap<String, usize> = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            by_id.entry(node.fact.id.clone()).or_insert(at);
        }
        let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut roots = Vec::new();
        for (at, node) in nodes.iter_mut().enumerate() {
            match node.fact.cause.as_ref().map(|cause| (cause, by_id.get(cause))) {
                Some((_, Some(&parent))) if parent != at => {
                    children.entry(parent).or_default().push(at);
                }
                Some((cause, None)) => {
                    node.missing_cause = Some(cause.clone());
                    roots.push(at);
                }
                _ => roots.push(at),
            }
        }
        roots.reverse();
        Self { nodes: nodes.into_iter().map(Some).collect(), children, roots }
    }

    /// The next root: an event without a known cause, else, in a cycle, the earliest that is left.
    fn next_root(&mut self) -> Option<usize> {
        while let Some(at) = self.roots.pop() {
            if self.nodes[at].is_some() {
                return Some(at);
            }
        }
        self.nodes.iter().position(Option::is_some)
    }

    /// Takes a node with everything below it, level by level. What lies deeper than the limit is
    /// hung on its ancestor there, so that no later walk can exhaust the stack.
    fn take(&mut self, root: usize) -> Node {
        let mut order = vec![(root, root, 0)];
        let mut seen: HashSet<usize> = HashSet::from([root]);
        let mut next = 0;
        while let Some(&(at, parent, depth)) = order.get(next) {
            next += 1;
            let holder = if depth >= limits::FLOW_DEPTH { parent } else { at };
            for &child in self.children.get(&at).into_iter().flatten() {
                if self.nodes[child].is_some() && seen.insert(child) {
                    order.push((child, holder, depth + usize::from(holder == at)));
                }
            }
        }
        // From the last to the first, a node has all its children when its parent takes it.
        for &(at, parent, _) in order.iter().skip(1).rev() {
            if let Some(mut node) = self.nodes[at].take() {
                node.children.reverse();
                if let Some(parent) = &mut self.nodes[parent] {
                    parent.children.push(node);
                }
            }
        }
        let mut root = self.nodes[root].take().expect("next_root names a node that is left");
        root.children.reverse();
        root
    }
}

fn set_after(root: &mut Node, start: Option<Timestamp>) {
    let mut next = vec![root];
    while let Some(node) = next.pop() {
        node.after_ms = start
            .zip(node.fact.time)
            .map(|(start, time)| time.as_millisecond() - start.as_millisecond());
        next.extend(node.children.iter_mut());
    }
}

/// All nodes of a tree, from the root downwards, as they are printed.
pub fn walk(root: &Node) -> impl Iterator<Item = &Node> {
    let mut next = vec![root];
    std::iter::from_fn(move || {
        let node = next.pop()?;
        next.extend(node.children.iter().rev());
        Some(node)
    })
}

#[cfg(test)]
mod tests;
