//! A random walk through the state machine: whatever members do, in whatever order, a few things
//! always hold.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use super::script::subscription;
use crate::groups::group::{
    Bounds, Caller, Generation, Group, JoinRequest, Protocol, Reply, State, SyncRequest, Ticket,
};
use crate::groups::ids::MemberId;

#[derive(Debug, Clone)]
enum Act {
    /// A process without an id joins; `instance` is a stable name, if any.
    Join {
        instance: Option<u8>,
        version: u8,
        topics: u8,
    },
    /// One of the ids that were ever handed out joins.
    Rejoin {
        who: usize,
        topics: u8,
    },
    Sync {
        who: usize,
        stale: bool,
    },
    Beat {
        who: usize,
    },
    Leave {
        who: usize,
    },
    LeaveByName {
        instance: u8,
    },
    Wait {
        ms: u64,
    },
    /// The broker dies and starts again.
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let who = || 0..64usize;
    let rarely = || proptest::bool::weighted(0.1);
    prop_oneof![
        3 => (proptest::option::weighted(0.3, 0..3u8), 3..10u8, 0..2u8).prop_map(
            |(instance, version, topics)| Act::Join { instance, version, topics }),
        5 => (who(), 0..2u8).prop_map(|(who, topics)| Act::Rejoin { who, topics }),
        6 => (who(), rarely()).prop_map(|(who, stale)| Act::Sync { who, stale }),
        4 => who().prop_map(|who| Act::Beat { who }),
        1 => who().prop_map(|who| Act::Leave { who }),
        1 => (0..3u8).prop_map(|instance| Act::LeaveByName { instance }),
        2 => (0..1_500u64).prop_map(|ms| Act::Wait { ms }),
        1 => Just(Act::Restart),
    ]
}

struct Walk {
    group: Group,
    now_ms: u64,
    tickets: u64,
    /// Asked and not answered.
    open: BTreeSet<u64>,
    /// Every id that was handed out, with the stable name that it came under.
    ids: Vec<(MemberId, Option<u8>)>,
    generation: i32,
    /// What a broker that dies now would find again.
    kept: Option<Generation>,
}

impl Walk {
    fn new(delay_ms: u64) -> Walk {
        let bounds = Bounds {
            initial_rebalance_delay_ms: delay_ms,
            new_member_join_timeout_ms: 5_000,
            max_members: 6,
        };
        Walk {
            group: Group::new(bounds, 0),
            now_ms: 0,
            tickets: 0,
            open: BTreeSet::new(),
            ids: Vec::new(),
            generation: 0,
            kept: None,
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Join { instance, version, topics } => {
                let fresh = MemberId::from(&*format!("m-{}", self.ids.len()));
                self.ids.push((fresh.clone(), *instance));
                self.join("".into(), fresh, *instance, *version, *topics);
            }
            Act::Rejoin { who, topics } => {
                if let Some((id, instance)) = self.pick(*who) {
                    self.join(id, "unused".into(), instance, 9, *topics);
                }
            }
            Act::Sync { who, stale } => {
                if let Some((id, instance)) = self.pick(*who) {
                    let ids = self.ids.iter();
                    let work = ids.map(|(id, _)| (id.clone(), Bytes::from_static(b"w"))).collect();
                    let mut caller = self.caller(id, instance);
                    caller.generation -= i32::from(*stale);
                    let request = SyncRequest {
                        caller,
                        protocol_type: None,
                        protocol: None,
                        assignments: work,
                    };
                    let ticket = self.ticket();
                    self.group.sync(request, ticket, self.now_ms);
                }
            }
            Act::Beat { who } => {
                if let Some((id, instance)) = self.pick(*who) {
                    let _ = self.group.heartbeat(&self.caller(id, instance), self.now_ms);
                }
            }
            Act::Leave { who } => {
                if let Some((id, instance)) = self.pick(*who) {
                    let instance = instance.map(name);
                    let _ = self.group.leave(&id, instance.as_ref(), self.now_ms);
                }
            }
            Act::LeaveByName { instance } => {
                let _ = self.group.leave(&"".into(), Some(&name(*instance)), self.now_ms);
            }
            Act::Wait { ms } => self.wait(*ms),
            Act::Restart => self.restart(),
        }
        self.look();
    }

    fn join(&mut self, id: MemberId, fresh: MemberId, inst: Option<u8>, version: u8, topics: u8) {
        let metadata = subscription(["t", "t,u"][usize::from(topics)]);
        let protocols = ["range", "sticky"]
            .map(|name| Protocol { name: name.into(), metadata: metadata.clone() });
        let request = JoinRequest {
            member_id: id,
            instance: inst.map(name),
            client_id: "m".into(),
            client_host: "here".into(),
            session_timeout_ms: 1_000,
            rebalance_timeout_ms: 2_000,
            protocol_type: "consumer".into(),
            protocols: protocols.to_vec(),
            fetches_id_first: version >= 4,
            can_skip_assignment: version >= 9,
        };
        let ticket = self.ticket();
        self.group.join(request, fresh, ticket, self.now_ms);
    }

    fn wait(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(due_ms) = self.group.next_deadline_ms().filter(|due| *due <= until) {
            assert!(due_ms >= self.now_ms || self.now_ms > 0, "a deadline in the past");
            self.now_ms = self.now_ms.max(due_ms);
            self.group.tick(self.now_ms);
            self.look();
            let next = self.group.next_deadline_ms();
            assert!(next.is_none_or(|next| next > self.now_ms), "what was due is still due");
        }
        self.now_ms = until;
    }

    /// The broker dies and comes back with what was kept: whoever waited hears of it by its socket.
    fn restart(&mut self) {
        let bounds = self.group.bounds.clone();
        self.group = match &self.kept {
            Some(kept) => Group::restore(bounds, kept, self.now_ms),
            None => Group::new(bounds, self.now_ms),
        };
        self.generation = self.group.generation;
        self.open.clear();
    }

    /// What must hold after every step.
    fn look(&mut self) {
        if let Some(settled) = self.group.take_settled() {
            let restored = Group::restore(self.group.bounds.clone(), &settled, self.now_ms);
            assert_eq!(restored.state(), self.group.state());
            assert_eq!(restored.instances, self.group.instances);
            self.kept = Some(settled);
        }
        for reply in self.group.take_replies() {
            let ticket = match &reply {
                Reply::Join(ticket, answer) => {
                    if let Ok(joined) = answer {
                        assert_eq!(joined.generation, self.group.generation);
                        let leads = joined.leader == joined.member_id;
                        assert_eq!(leads, !joined.members.is_empty(), "only leaders get members");
                        let inside = |id| self.group.members.contains_key(id);
                        assert!(inside(&joined.member_id));
                        assert!(joined.members.iter().all(|member| inside(&member.id)));
                    }
                    ticket
                }
                Reply::Sync(ticket, _) => ticket,
            };
            assert!(self.open.remove(&ticket.0), "answered twice, or never asked: {reply:?}");
        }
        assert!(self.group.generation >= self.generation, "generations only count up");
        self.generation = self.group.generation;
        let group = &self.group;
        assert!(group.members.len() <= 6);
        match group.state() {
            State::Empty => {
                assert!(group.members.is_empty() && group.leader.is_none());
                assert!(group.instances.is_empty());
            }
            State::CompletingRebalance | State::Stable => {
                let leader = group.leader.as_ref().expect("a leader");
                assert!(group.members.contains_key(leader), "the leader is a member");
                let protocol = group.protocol.as_ref().expect("a protocol");
                assert!(group.members.values().all(|member| member.knows(protocol)));
            }
            State::PreparingRebalance => {}
        }
        for (instance, id) in &group.instances {
            assert_eq!(group.members[id].instance.as_ref(), Some(instance));
        }
        let waiting = group.members.values().flat_map(|m| [m.joining, m.syncing]).flatten();
        let waiting: BTreeSet<u64> = waiting.map(|ticket| ticket.0).collect();
        assert_eq!(waiting, self.open, "every open ticket belongs to one member that waits");
        if !waiting.is_empty() {
            assert!(group.next_deadline_ms().is_some(), "whoever waits has a deadline");
        }
    }

    fn pick(&self, who: usize) -> Option<(MemberId, Option<u8>)> {
        // The latest ids are the likely ones to be members.
        let back = who % self.ids.len().clamp(1, 12);
        self.ids.iter().rev().nth(back).cloned()
    }

    fn caller(&self, member_id: MemberId, instance: Option<u8>) -> Caller {
        Caller { member_id, instance: instance.map(name), generation: self.group.generation }
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.open.insert(self.tickets);
        Ticket(self.tickets)
    }
}

fn name(instance: u8) -> crate::groups::ids::InstanceId {
    format!("s{instance}").as_str().into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn invariants_hold_and_every_waiting_request_is_answered(
        delay_ms in prop_oneof![Just(0u64), Just(300)],
        acts in proptest::collection::vec(act(), 1..120),
    ) {
        let mut walk = Walk::new(delay_ms);
        for act in &acts {
            walk.act(act);
        }
        // Nobody says anything any more: all are given up, and nobody waits in vain.
        walk.act(&Act::Wait { ms: 60_000 });
        prop_assert!(walk.open.is_empty(), "unanswered: {:?}", walk.open);
        prop_assert_eq!(walk.group.state(), State::Empty);
        prop_assert!(walk.group.is_vacant());
        prop_assert_eq!(walk.group.next_deadline_ms(), None);
    }
}
