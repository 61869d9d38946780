//! A relay's client and the broker. What a client was given is written in that order within a key,
//! and nothing of it behind a record that failed: the records are numbered, and a partition takes
//! no number out of turn. Whatever is under way when a client is left may still be written.

use crate::models::outbox::case::{Broker, Bug, Case};
use crate::models::outbox::world::{Fate, Position, Sent, World};

/// What a broker can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Writes this relay's next record of this key.
    Write(usize, u8),
    /// Refuses it.
    Refuse(usize, u8),
    /// Refuses it for the moment, as while replicas are missing, and takes the one behind it, since
    /// it does not know the client. An answer stands for all before it, so the client (librdkafka,
    /// `rd_kafka_dr_implicit_ack`) counts both as written and never sends the first one again.
    Overtake(usize, u8),
    /// Writes the next record of a client that is gone.
    WriteLate(usize),
}

/// What it can do now.
pub fn acts(case: &Case, world: &World) -> Vec<Act> {
    let mut acts = Vec::new();
    for relay in 0..world.relays.len() {
        for key in 0..case.slots.len() as u8 {
            let can_refuse = world.left.refusals > 0;
            if let Some(at) = next(case, world, relay, key) {
                acts.push(Act::Write(relay, key));
                acts.extend(can_refuse.then_some(Act::Refuse(relay, key)));
                let can_overtake = can_refuse
                    && is_trusted(case, world, relay, key)
                    && behind(world, relay, at).is_some();
                acts.extend(can_overtake.then_some(Act::Overtake(relay, key)));
            }
        }
    }
    acts.extend((0..world.ghosts.len()).map(Act::WriteLate));
    acts
}

/// What comes of it.
pub fn step(case: &Case, world: &mut World, act: Act) {
    match act {
        Act::Write(relay, key) => {
            let at = next(case, world, relay, key).expect("something is under way");
            world.relays[relay].sent[at].fate = Fate::Written;
            if case.broker == Broker::Trusting {
                world.relays[relay].known |= 1 << key;
            }
            world.append(case, world.relays[relay].sent[at].position);
        }
        Act::Refuse(relay, key) => {
            let at = next(case, world, relay, key).expect("something is under way");
            world.relays[relay].sent[at].fate = Fate::Refused;
            world.left.refusals -= 1;
        }
        Act::Overtake(relay, key) => {
            world.left.refusals -= 1;
            let first = next(case, world, relay, key).expect("something is under way");
            let second = behind(world, relay, first).expect("something is behind it");
            let me = &mut world.relays[relay];
            me.sent[first].fate = Fate::Written;
            me.sent[second].fate = Fate::Written;
            me.known |= 1 << key;
            world.append(case, world.relays[relay].sent[second].position);
        }
        Act::WriteLate(ghost) => {
            let position = world.ghosts[ghost].remove(0);
            world.append(case, position);
        }
    }
    forget_old_ghosts(world);
}

/// The relay gives a record to its client.
pub fn give(world: &mut World, relay: usize, position: Position) {
    world.relays[relay].sent.push(Sent { position, fate: Fate::Flying });
}

/// The relay leaves its client for a new one, or dies.
pub fn leave(case: &Case, world: &mut World, relay: usize) {
    for key in 0..case.slots.len() as u8 {
        if next(case, world, relay, key).is_some() {
            let of_key =
                world.relays[relay].sent.iter().filter(|sent| world.key(sent.position) == key);
            let flying = of_key.filter(|sent| sent.fate == Fate::Flying).map(|sent| sent.position);
            let ghost = flying.collect();
            world.ghosts.push(ghost);
        }
    }
    world.relays[relay].sent.clear();
    world.relays[relay].known = 0;
    forget_old_ghosts(world);
}

/// The record of this key that the broker takes next, unless it takes none any more.
fn next(case: &Case, world: &World, relay: usize, key: u8) -> Option<usize> {
    let me = &world.relays[relay];
    let of_key = |at: &usize| world.key(me.sent[*at].position) == key;
    let at = (0..me.sent.len()).filter(of_key).find(|&at| me.sent[at].fate == Fate::Flying)?;
    let before = (0..at).rfind(of_key).map(|at| me.sent[at].fate);
    let goes_on = is_trusted(case, world, relay, key) || case.has(Bug::Gaps);
    (before != Some(Fate::Refused) || goes_on).then_some(at)
}

/// The record of the same key that was sent after this one.
fn behind(world: &World, relay: usize, at: usize) -> Option<usize> {
    let sent = &world.relays[relay].sent;
    let key = world.key(sent[at].position);
    (at + 1..sent.len()).find(|&later| world.key(sent[later].position) == key)
}

/// Whether the broker takes any number from the relay's client.
fn is_trusted(case: &Case, world: &World, relay: usize, key: u8) -> bool {
    case.broker == Broker::Trusting && world.relays[relay].known & (1 << key) == 0
}

/// A late copy of what is on the topic already changes nothing that anybody asks for.
fn forget_old_ghosts(world: &mut World) {
    let topic = &world.topic;
    for ghost in &mut world.ghosts {
        ghost.retain(|position| !topic.iter().flatten().any(|written| written == position));
    }
    world.ghosts.retain(|ghost| !ghost.is_empty());
    world.ghosts.sort_unstable();
}
