//! Relays: the rounds of `crates/tidings/src/relay/round.rs` over the tables of this crate. A step
//! is one statement to the database, one record given to a client, or one answer taken from it;
//! between any two of them a relay may sleep for as long as it likes. What it does by its own clock
//! it may do or not do, so it is never trusted to notice that its leases have ended.

use crate::models::outbox::case::{Bug, Case};
use crate::models::outbox::client;
use crate::models::outbox::world::{Fate, Holder, Position, Relay, Sent, Work, World};

/// What a relay can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Renews what it holds and takes this slot.
    Claim(usize),
    /// Renews what it holds.
    Renew,
    /// Notices that a lease has ended, or may have: stops what it is at.
    GiveUp,
    /// Leaves what it is at and gives its slots back, as one does that is told to stop.
    Return,
    /// Reads the first rows that nothing holds.
    Read,
    /// Takes up a held row that is due.
    TryAgain(Position),
    /// Gives the next record to its client.
    Send,
    /// Takes an answer, and does what follows from it.
    Answer,
    /// Deletes what was acknowledged, which ends a round.
    Delete,
    /// Dies, and starts anew under another name.
    Crash,
}

/// What this one can do now.
pub fn acts(case: &Case, world: &World, relay: usize) -> Vec<Act> {
    let me = &world.relays[relay];
    let mut acts = match &me.work {
        Work::Idle => between_rounds(case, world, relay),
        Work::Together(unsent) => {
            let is_failed = me.sent.iter().any(|sent| sent.fate == Fate::Refused);
            let is_written = me.sent.iter().all(|sent| sent.fate == Fate::Written);
            match () {
                () if is_failed => vec![Act::Answer],
                () if waits_for_first(case, world, relay, unsent) => Vec::new(),
                () if !unsent.is_empty() => vec![Act::Send],
                () if is_written => vec![Act::Delete],
                () => Vec::new(),
            }
        }
        Work::Alone { rest, .. } if rest.is_empty() => vec![Act::Delete],
        Work::Alone { .. } | Work::Again(_) => match me.sent.first().map(|sent| sent.fate) {
            None => vec![Act::Send],
            Some(Fate::Flying) => Vec::new(),
            Some(Fate::Written | Fate::Refused) => vec![Act::Answer],
        },
    };
    let slots = me.leases.iter().map(|&(slot, _)| slot);
    let is_lost = slots.clone().any(|slot| !world.owns(relay, slot));
    let is_over = slots.clone().any(|slot| world.slots[slot].is_over);
    if me.work != Work::Idle && (is_lost || is_over) {
        acts.push(Act::GiveUp);
        acts.extend((!is_lost).then_some(Act::Renew));
    }
    let is_at_work = me.work != Work::Idle || !me.leases.is_empty();
    acts.extend((world.left.crashes > 0 && is_at_work).then_some(Act::Crash));
    acts.extend((world.left.returns > 0 && is_at_work).then_some(Act::Return));
    acts
}

/// What comes of it.
pub fn step(case: &Case, world: &mut World, relay: usize, act: Act) {
    match act {
        Act::Claim(slot) => {
            renew(world, relay);
            let claimed = &mut world.slots[slot];
            if !claimed.is_over && claimed.holder != Holder::Nobody {
                world.early -= 1;
            }
            (claimed.epoch, claimed.holder) = (claimed.epoch + 1, Holder::Relay(relay));
            claimed.is_over = false;
            let lease = (slot, claimed.epoch);
            world.relays[relay].leases.push(lease);
            world.relays[relay].leases.sort_unstable();
        }
        Act::Renew => renew(world, relay),
        Act::GiveUp => give_up(case, world, relay),
        Act::Return => {
            world.left.returns -= 1;
            client::leave(case, world, relay);
            for slot in world.slots.iter_mut().filter(|slot| slot.holder == Holder::Relay(relay)) {
                (slot.holder, slot.is_over) = (Holder::Nobody, false);
            }
            world.relays[relay] = Relay::default();
        }
        Act::Read => {
            let rows = readable(case, world, relay);
            if case.has(Bug::Cursor) {
                world.relays[relay].cursor = rows.last().copied().unwrap_or_default();
            }
            world.relays[relay].work = Work::Together(rows);
        }
        Act::TryAgain(position) => world.relays[relay].work = Work::Again(position),
        Act::Send => send(case, world, relay),
        Act::Answer => answer(case, world, relay),
        Act::Delete => {
            let me = std::mem::take(&mut world.relays[relay].work);
            let written = std::mem::take(&mut world.relays[relay].sent);
            let done = match me {
                Work::Alone { done, .. } => done,
                _ => positions(&written),
            };
            delete(case, world, relay, &done);
        }
        Act::Crash => {
            world.left.crashes -= 1;
            client::leave(case, world, relay);
            for slot in world.slots.iter_mut().filter(|slot| slot.holder == Holder::Relay(relay)) {
                slot.holder = Holder::Dead;
            }
            world.relays[relay] = Relay::default();
        }
    }
}

fn between_rounds(case: &Case, world: &World, relay: usize) -> Vec<Act> {
    let me = &world.relays[relay];
    let mine = Holder::Relay(relay);
    let mut acts = Vec::new();
    for (number, slot) in world.slots.iter().enumerate() {
        let is_free = slot.holder == Holder::Nobody || slot.is_over && slot.holder != mine;
        let is_early = case.has(Bug::ClaimEarly) && world.early > 0 && slot.holder != mine;
        acts.extend((is_free || is_early).then_some(Act::Claim(number)));
    }
    let is_to_renew = |slot: usize| {
        let believes = me.leases.iter().any(|&(lease, _)| lease == slot);
        let is_mine = world.slots[slot].holder == mine;
        let owns = world.owns(relay, slot);
        is_mine && (world.slots[slot].is_over || !owns) || believes && !owns
    };
    acts.extend((0..world.slots.len()).any(is_to_renew).then_some(Act::Renew));
    acts.extend((!readable(case, world, relay).is_empty()).then_some(Act::Read));
    let due = world.held.iter().filter(|&&row| believes_in(case, world, relay, row));
    acts.extend(due.map(|&row| Act::TryAgain(row)));
    acts
}

/// `backlog_waiting.sql`: it looks at what the relay believes in, not at the leases themselves.
fn readable(case: &Case, world: &World, relay: usize) -> Vec<Position> {
    let is_held = |row: Position| match case.has(Bug::SendBehindHeld) {
        true => world.held.contains(&row),
        false => world.held.iter().any(|&held| world.key(held) == world.key(row)),
    };
    let rows = world.rows.iter().filter(|row| row.writer.is_none()).map(|row| row.position);
    rows.filter(|&row| row > world.relays[relay].cursor)
        .filter(|&row| believes_in(case, world, relay, row) && !is_held(row))
        .collect()
}

/// With [`Case::is_first_alone`]: whether the broker has yet to take a first record of the key.
fn waits_for_first(case: &Case, world: &World, relay: usize, unsent: &[Position]) -> bool {
    let me = &world.relays[relay];
    let Some(key) = unsent.first().map(|&row| world.key(row)) else { return false };
    let is_begun = me.sent.iter().any(|sent| world.key(sent.position) == key);
    case.is_first_alone && is_begun && me.known & (1 << key) == 0
}

fn send(case: &Case, world: &mut World, relay: usize) {
    let me = &mut world.relays[relay];
    let position = match &mut me.work {
        Work::Together(unsent) => unsent.remove(0),
        Work::Alone { rest, .. } => rest[0],
        Work::Again(position) => *position,
        Work::Idle => unreachable!("there is nothing to send"),
    };
    if matches!(me.work, Work::Again(_)) && !world.sees(position) {
        // Somebody has deleted the row: nothing waits behind it any more.
        world.relays[relay].work = Work::Idle;
        return let_go(case, world, relay, position);
    }
    client::give(world, relay, position);
    if case.has(Bug::DeleteBeforeAnswer) {
        delete(case, world, relay, &[position]);
    }
}

fn answer(case: &Case, world: &mut World, relay: usize) {
    let me = &mut world.relays[relay];
    match std::mem::take(&mut me.work) {
        Work::Together(unsent) => {
            let (done, failed): (Vec<Sent>, Vec<Sent>) =
                me.sent.iter().cloned().partition(|sent| sent.fate == Fate::Written);
            let (done, mut rest) = (positions(&done), positions(&failed));
            client::leave(case, world, relay);
            // The failed client refuses the next row of each key; those behind it are left.
            let mut keys = Vec::new();
            for row in unsent {
                let key = world.key(row);
                if !keys.contains(&key) {
                    keys.push(key);
                    rest.push(row);
                }
            }
            rest.sort_unstable();
            world.relays[relay].work = Work::Alone { rest, done };
        }
        Work::Alone { mut rest, mut done } => {
            let row = rest.remove(0);
            if me.sent[0].fate == Fate::Written {
                me.sent.clear();
                done.push(row);
            } else {
                client::leave(case, world, relay);
                hold(case, world, relay, row);
                rest.retain(|&later| world.key(later) != world.key(row));
            }
            world.relays[relay].work = Work::Alone { rest, done };
        }
        Work::Again(row) if me.sent[0].fate == Fate::Written => {
            me.sent.clear();
            let_go(case, world, relay, row);
        }
        Work::Again(row) => {
            client::leave(case, world, relay);
            hold(case, world, relay, row);
        }
        Work::Idle => unreachable!("nothing was asked"),
    }
}

/// Renews in the database, and believes what it says.
fn renew(world: &mut World, relay: usize) {
    let mut leases = Vec::new();
    for (number, slot) in world.slots.iter_mut().enumerate() {
        if slot.holder == Holder::Relay(relay) {
            slot.is_over = false;
            leases.push((number, slot.epoch));
        }
    }
    world.relays[relay].leases = leases;
}

/// With something under way all is left to whoever comes next; without, what was acknowledged is
/// still deleted, if the slots are its own after all.
fn give_up(case: &Case, world: &mut World, relay: usize) {
    let me = &mut world.relays[relay];
    match &mut me.work {
        Work::Alone { rest, .. } if me.sent.is_empty() => rest.clear(),
        _ => {
            client::leave(case, world, relay);
            world.relays[relay].leases.clear();
            world.relays[relay].work = Work::Idle;
        }
    }
}

fn delete(case: &Case, world: &mut World, relay: usize, rows: &[Position]) {
    for &row in rows.iter().filter(|&&row| world.sees(row)).collect::<Vec<_>>() {
        let is_own = world.owns(relay, case.slots[world.key(row) as usize]);
        if is_own || case.has(Bug::DeleteWithoutEpoch) {
            world.rows.retain(|other| other.position != row);
            world.trespassed |= !is_own;
        }
    }
}

fn hold(case: &Case, world: &mut World, relay: usize, row: Position) {
    let is_own = world.owns(relay, case.slots[world.key(row) as usize]);
    if (is_own || case.has(Bug::HoldWithoutEpoch)) && !world.held.contains(&row) {
        world.trespassed |= !is_own;
        world.held.push(row);
        world.held.sort_unstable();
    }
}

fn let_go(case: &Case, world: &mut World, relay: usize, row: Position) {
    delete(case, world, relay, &[row]);
    let is_own = world.owns(relay, case.slots[world.key(row) as usize]);
    let owns_some = (0..world.slots.len()).any(|slot| world.owns(relay, slot));
    if is_own || case.has(Bug::LetGoOfOthers) && owns_some {
        world.trespassed |= !is_own && world.held.contains(&row);
        world.held.retain(|&held| held != row);
    }
}

fn positions(sent: &[Sent]) -> Vec<Position> {
    sent.iter().map(|sent| sent.position).collect()
}

fn believes_in(case: &Case, world: &World, relay: usize, row: Position) -> bool {
    let slot = case.slots[world.key(row) as usize];
    world.relays[relay].leases.iter().any(|&(lease, _)| lease == slot)
}
