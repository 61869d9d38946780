//! The interpreter of the scripts; their language is told one level up.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::groups::group::{
    Bounds, Caller, Checked, Group, JoinRequest, Protocol, Reply, SyncRequest, Ticket,
};
use crate::groups::ids::MemberId;

/// Runs a script; panics at the first line that does not hold, naming it.
pub(super) fn check(script: &str) {
    let mut run = Run {
        group: Group::new(bounds(0, 10), 0),
        now_ms: 0,
        ids: 0,
        answers: BTreeMap::new(),
        line: String::new(),
    };
    for line in script.lines().map(str::trim) {
        if !line.is_empty() && !line.starts_with('#') {
            run.line = line.to_string();
            run.step(line);
        }
    }
    run.no_answers();
}

fn bounds(delay: u64, max: usize) -> Bounds {
    Bounds {
        initial_rebalance_delay_ms: delay,
        new_member_join_timeout_ms: 300_000,
        max_members: max,
    }
}

struct Run {
    group: Group,
    now_ms: u64,
    ids: u32,
    /// What was answered and not looked at yet.
    answers: BTreeMap<u64, String>,
    line: String,
}

/// The words of a line after its verb: `name=value` and the rest.
struct Words<'a> {
    named: BTreeMap<&'a str, &'a str>,
    plain: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn number(&self, name: &str, default: i64) -> i64 {
        self.named.get(name).map_or(default, |value| value.parse().expect("a number"))
    }

    fn caller(&self) -> Caller {
        Caller {
            member_id: id(self.plain[0]),
            instance: self.named.get("static").map(|&name| name.into()),
            generation: self.number("gen", -1) as i32,
        }
    }
}

impl Run {
    fn step(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(ticket) = verb.strip_suffix(':') {
            let answer = self.answers.remove(&ticket.parse().expect("a ticket"));
            assert_eq!(answer.as_deref(), Some(rest), "{line}");
            return;
        }
        if !matches!(verb, "quiet" | "is") {
            self.no_answers();
        }
        let (rest, expected) = rest.split_once("=>").unwrap_or((rest, ""));
        let expected = expected.trim();
        let mut words = Words { named: BTreeMap::new(), plain: Vec::new() };
        for word in rest.split_whitespace() {
            match word.split_once('=') {
                Some((name, value)) => drop(words.named.insert(name, value)),
                None => words.plain.push(word),
            }
        }
        match verb {
            "bounds" => {
                let max = words.number("max", 10) as usize;
                self.group = Group::new(bounds(words.number("delay", 0) as u64, max), 0);
            }
            "at" => self.advance(words.plain[0].parse().expect("a time")),
            "join" => self.join(&words),
            "sync" => self.sync(&words),
            "beat" => {
                let outcome = self.group.heartbeat(&words.caller(), self.now_ms);
                self.outcome(outcome, expected);
            }
            "commit" => {
                let outcome = self.group.may_commit(&words.caller(), self.now_ms);
                self.outcome(outcome, expected);
            }
            "leave" => {
                let Caller { member_id, instance, .. } = words.caller();
                let outcome = self.group.leave(&member_id, instance.as_ref(), self.now_ms);
                self.outcome(outcome, expected);
            }
            "quiet" => self.no_answers(),
            "is" => self.is(&words),
            other => panic!("no such verb: {other}"),
        }
        self.collect();
    }

    /// Ticks at every deadline on the way, as the runtime does.
    fn advance(&mut self, to_ms: u64) {
        while let Some(due_ms) = self.group.next_deadline_ms().filter(|due| *due <= to_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            self.group.tick(self.now_ms);
        }
        self.now_ms = to_ms;
        self.group.tick(to_ms);
    }

    fn join(&mut self, words: &Words<'_>) {
        let who = words.plain[1];
        let version = words.number("v", 3);
        let known = if who.contains('-') { Some(who) } else { words.named.get("id").copied() };
        if known.is_none() {
            self.ids += 1;
        }
        let protocols = words.plain[2..].iter().map(|word| {
            let (name, topics) = word.split_once(':').expect("protocol:topics");
            Protocol { name: name.into(), metadata: subscription(topics) }
        });
        let request = JoinRequest {
            member_id: known.unwrap_or("").into(),
            instance: words.named.get("static").map(|&name| name.into()),
            client_id: who.into(),
            client_host: "here".into(),
            session_timeout_ms: words.number("session", 10_000) as u64,
            rebalance_timeout_ms: words.number("rebalance", 60_000) as u64,
            protocol_type: words.named.get("type").copied().unwrap_or("consumer").into(),
            protocols: protocols.collect(),
            fetches_id_first: version >= 4,
            can_skip_assignment: version >= 9,
        };
        let fresh = MemberId::from(&*format!("{who}-{}", self.ids));
        self.group.join(request, fresh, ticket(words), self.now_ms);
    }

    fn sync(&mut self, words: &Words<'_>) {
        let assignments = words.named.iter().filter(|(name, _)| name.contains('-'));
        let plain = words.plain[1..].to_vec();
        let caller = Words { named: words.named.clone(), plain }.caller();
        let request = SyncRequest {
            caller,
            protocol_type: Some("consumer".into()),
            protocol: words.named.get("protocol").map(|&name| name.into()),
            assignments: assignments
                .map(|(name, work)| (id(name), Bytes::copy_from_slice(work.as_bytes())))
                .collect(),
        };
        self.group.sync(request, ticket(words), self.now_ms);
    }

    fn is(&self, words: &Words<'_>) {
        let line = &self.line;
        assert_eq!(self.group.state().name(), words.plain[0], "{line}");
        let generation = words.number("gen", i64::from(self.group.generation));
        assert_eq!(i64::from(self.group.generation), generation, "{line}");
        if let Some(leader) = words.named.get("leader") {
            assert_eq!(self.group.leader.as_ref().map(MemberId::as_str), Some(*leader), "{line}");
        }
        if let Some(members) = words.named.get("members") {
            let ids: Vec<_> = self.group.members().map(|m| m.id.as_str()).collect();
            assert_eq!(ids.join(","), **members, "{line}");
        }
        if let Some(protocol) = words.named.get("protocol") {
            let chosen = self.group.protocol().map(|name| name.as_str());
            assert_eq!(chosen, Some(*protocol), "{line}");
        }
    }

    fn outcome(&self, outcome: Checked, expected: &str) {
        let said = outcome.map_or_else(|error| error.to_string(), |()| "ok".to_string());
        assert_eq!(said, expected, "{}", self.line);
    }

    fn no_answers(&self) {
        assert!(self.answers.is_empty(), "before `{}`: {:?}", self.line, self.answers);
    }

    fn collect(&mut self) {
        for reply in self.group.take_replies() {
            let (ticket, text) = tell(&reply);
            let twice = self.answers.insert(ticket, text);
            assert_eq!(twice, None, "ticket {ticket} was answered twice: {}", self.line);
        }
    }
}

/// An answer as the scripts write it.
fn tell(reply: &Reply) -> (u64, String) {
    match reply {
        Reply::Join(Ticket(ticket), Ok(joined)) => {
            let ids: Vec<_> = joined.members.iter().map(|member| member.id.as_str()).collect();
            let mut text = format!(
                "joined {} gen={} leader={} {}",
                joined.member_id, joined.generation, joined.leader, joined.protocol
            );
            if !ids.is_empty() {
                text += &format!(" members={}", ids.join(","));
            }
            if joined.skip_assignment {
                text += " skip";
            }
            (*ticket, text)
        }
        Reply::Join(Ticket(ticket), Err(refused)) => {
            (*ticket, format!("{} {}", refused.error, refused.member_id).trim().to_string())
        }
        Reply::Sync(Ticket(ticket), Ok(synced)) if synced.assignment.is_empty() => {
            (*ticket, "empty".to_string())
        }
        Reply::Sync(Ticket(ticket), Ok(synced)) => {
            (*ticket, String::from_utf8_lossy(&synced.assignment).into_owned())
        }
        Reply::Sync(Ticket(ticket), Err(error)) => (*ticket, error.to_string()),
    }
}

fn ticket(words: &Words<'_>) -> Ticket {
    Ticket(words.plain[0].parse().expect("a ticket"))
}

/// A dash stands for nobody.
fn id(word: &str) -> MemberId {
    if word == "-" { "".into() } else { word.into() }
}

/// A consumer's subscription to topics that are separated by commas.
pub(super) fn subscription(topics: &str) -> Bytes {
    let names: Vec<&str> = topics.split(',').collect();
    let mut out = vec![0, 1];
    out.extend((names.len() as i32).to_be_bytes());
    for name in names {
        out.extend((name.len() as i16).to_be_bytes());
        out.extend(name.as_bytes());
    }
    out.into()
}
