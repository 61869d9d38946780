//! Reads the histories of all members in the order of time and says which rules were broken. It
//! knows nothing of how members or brokers work: only what must never be seen.

use std::collections::HashMap;
use std::time::Duration;

use super::history::{History, What};

#[cfg(test)]
mod tests;

/// How many examples of a broken rule are told.
const EXAMPLES: usize = 5;

/// What the histories say.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) taken: usize,
    pub(super) lost_partitions: usize,
    /// Records that nobody handled.
    pub(super) lost: usize,
    pub(super) rules: Vec<Rule>,
    /// Records handled again, by whomever.
    pub(super) again: usize,
    /// ... whose first handler had given the partition back in order.
    pub(super) again_in_order: usize,
    pub(super) commits_refused: usize,
    /// From the last coming or going to the last partition that moved.
    pub(super) settled_after: Duration,
}

/// Something that must not happen, and how often it did.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) broken: usize,
    pub(super) examples: Vec<String>,
}

const BEYOND: usize = 0;
const BACK: usize = 1;
const STRANGER: usize = 2;
const BEHIND: usize = 3;
const TWO: usize = 4;
const AFTER: usize = 5;
const ORDER: usize = 6;
const RULES: [&str; 7] = [
    "commits past work that nobody had done",
    "commits below one that was acknowledged",
    "commits taken from a member that was not the owner",
    "partitions begun behind what was committed",
    "records handled while another owned the partition",
    "records handled after the partition was given back",
    "records of a key out of order within an owner",
];

/// From one taking of a partition by one member to its end.
#[derive(Debug, Default)]
struct Tenure {
    /// `Some(lost)` when it was given back.
    ended: Option<bool>,
    last_of_key: HashMap<u32, i64>,
}

/// A commit that is under way.
#[derive(Debug)]
struct Sent {
    /// What was acknowledged already when it was sent, and whether its sender was the owner.
    before: Vec<(i64, bool)>,
}

/// Everything that is known at one moment.
struct Now<'a> {
    /// When all below each offset had been handled by somebody, by partition.
    done: &'a [Vec<u64>],
    tenures: Vec<Tenure>,
    /// The tenure by (member, partition), the last one also when it has ended.
    holds: HashMap<(usize, usize), usize>,
    owner: Vec<Option<usize>>,
    acknowledged: Vec<i64>,
    sent: HashMap<usize, Sent>,
    /// The tenure in which each record was handled last.
    handled: HashMap<(usize, i64), usize>,
    verdict: Verdict,
}

/// Judges the histories of a topic that ends at `ends`. Partitions that move between `calm_at` and
/// `until` are those that had to settle.
pub(super) fn judge(members: &[History], ends: &[i64], calm_at: u64, until: u64) -> Verdict {
    let mut lines: Vec<_> = members
        .iter()
        .enumerate()
        .flat_map(|(member, history)| history.iter().map(move |line| (line.at, member, &line.what)))
        .collect();
    // Stable: within a member, the order is the file's.
    lines.sort_by_key(|(at, _, _)| *at);

    let first = first_handled(&lines, ends);
    let lost = first.iter().flatten().filter(|at| **at == u64::MAX).count();
    let done: Vec<Vec<u64>> = first.iter().map(|first| all_below(first)).collect();
    let mut now = Now::new(&done, lost);
    now.look_ahead(&lines);
    let mut settled = calm_at;
    for (at, member, what) in &lines {
        let moves = matches!(what, What::Took { .. } | What::Gave { .. });
        if moves && (calm_at..until).contains(at) {
            settled = *at;
        }
        now.take(*at, *member, what);
    }
    now.verdict.settled_after = Duration::from_nanos(settled - calm_at);
    now.verdict
}

/// When each record was handled first; never is the end of time.
fn first_handled(lines: &[(u64, usize, &What)], ends: &[i64]) -> Vec<Vec<u64>> {
    let records = |end: &i64| vec![u64::MAX; usize::try_from(*end).unwrap_or(0)];
    let mut first: Vec<Vec<u64>> = ends.iter().map(records).collect();
    for (at, _, what) in lines {
        if let What::Handled { partition, offset, .. } = what
            && let Some(records) = first.get_mut(*partition)
            && let Some(known) = usize::try_from(*offset).ok().and_then(|o| records.get_mut(o))
        {
            *known = (*known).min(*at);
        }
    }
    first
}

/// When all records below each offset, the end included, had been handled.
fn all_below(first: &[u64]) -> Vec<u64> {
    let mut latest = 0;
    let below = first.iter().map(|at| {
        latest = latest.max(*at);
        latest
    });
    std::iter::once(0).chain(below).collect()
}

impl<'a> Now<'a> {
    fn new(done: &'a [Vec<u64>], lost: usize) -> Self {
        let rule = |name| Rule { name, broken: 0, examples: Vec::new() };
        let verdict = Verdict {
            taken: 0,
            lost_partitions: 0,
            lost,
            rules: RULES.map(rule).into(),
            again: 0,
            again_in_order: 0,
            commits_refused: 0,
            settled_after: Duration::ZERO,
        };
        Self {
            done,
            tenures: Vec::new(),
            holds: HashMap::new(),
            owner: vec![None; done.len()],
            acknowledged: vec![0; done.len()],
            sent: HashMap::new(),
            handled: HashMap::new(),
            verdict,
        }
    }

    /// How each tenure will end: whoever loses a partition learns it late, and what it handles
    /// until then is no fault of its own.
    fn look_ahead(&mut self, lines: &[(u64, usize, &What)]) {
        let mut last = HashMap::new();
        for (_, member, what) in lines {
            match what {
                What::Took { partition, .. } => {
                    last.insert((*member, *partition), self.tenures.len());
                    self.tenures.push(Tenure::default());
                }
                What::Gave { partition, lost, .. } => {
                    if let Some(tenure) = last.get(&(*member, *partition)) {
                        self.tenures[*tenure].ended = Some(*lost);
                    }
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, at: u64, member: usize, what: &What) {
        match what {
            What::Took { partition, from, .. } => self.took(member, *partition, *from),
            What::Gave { partition, lost, .. } => {
                self.verdict.lost_partitions += usize::from(*lost);
                if self.owner[*partition] == Some(member) {
                    self.owner[*partition] = None;
                }
            }
            What::Handled { partition, offset, key } => {
                self.handled(member, *partition, *offset, *key);
            }
            What::CommitSent { offsets } => self.sent(at, member, offsets),
            What::CommitAnswered { offsets, error } => {
                let sent = self.sent.remove(&member);
                match (error, sent) {
                    (Some(_), _) => self.verdict.commits_refused += 1,
                    (None, Some(sent)) => self.accepted(member, offsets, &sent),
                    (None, None) => {}
                }
            }
        }
    }

    fn took(&mut self, member: usize, partition: usize, from: i64) {
        self.holds.insert((member, partition), self.verdict.taken);
        self.verdict.taken += 1;
        self.owner[partition] = Some(member);
        let committed = self.acknowledged[partition];
        if from < committed {
            self.broken(BEHIND, || format!("[{partition}]: from {from}, committed {committed}"));
        }
    }

    fn handled(&mut self, member: usize, partition: usize, offset: i64, key: u32) {
        let place = || format!("[{partition}]@{offset} by member {member}");
        let Some(&mine) = self.holds.get(&(member, partition)) else {
            return self.broken(AFTER, place);
        };
        let ended = self.tenures[mine].ended;
        match self.owner[partition] {
            Some(owner) if owner == member => {}
            // It was taken away from it; that it has not heard of it yet is Kafka's.
            _ if ended == Some(true) => {}
            Some(_) => self.broken(TWO, place),
            None => self.broken(AFTER, place),
        }
        let last = self.tenures[mine].last_of_key.insert(key, offset);
        if last.is_some_and(|last| last >= offset) {
            self.broken(ORDER, || format!("{} after {last:?}", place()));
        }
        if let Some(before) = self.handled.insert((partition, offset), mine) {
            self.verdict.again += 1;
            let in_order = self.tenures[before].ended == Some(false);
            self.verdict.again_in_order += usize::from(in_order);
        }
    }

    fn sent(&mut self, at: u64, member: usize, offsets: &[(usize, i64)]) {
        let mut before = Vec::new();
        for &(partition, offset) in offsets {
            let below = usize::try_from(offset).ok().and_then(|o| self.done[partition].get(o));
            if below.is_none_or(|done| *done > at) {
                self.broken(BEYOND, || format!("[{partition}]@{offset} by member {member}"));
            }
            let owns = self.owner[partition] == Some(member);
            before.push((self.acknowledged[partition], owns));
        }
        self.sent.insert(member, Sent { before });
    }

    fn accepted(&mut self, member: usize, offsets: &[(usize, i64)], sent: &Sent) {
        for (&(partition, offset), &(before, owned)) in offsets.iter().zip(&sent.before) {
            let place = || format!("[{partition}]@{offset} by member {member}");
            if !owned {
                self.broken(STRANGER, place);
            }
            if offset < before {
                self.broken(BACK, || format!("{} after {before}", place()));
            }
            let known = &mut self.acknowledged[partition];
            *known = offset.max(*known);
        }
    }

    fn broken(&mut self, rule: usize, example: impl FnOnce() -> String) {
        let rule = &mut self.verdict.rules[rule];
        rule.broken += 1;
        if rule.examples.len() < EXAMPLES {
            rule.examples.push(example());
        }
    }
}
