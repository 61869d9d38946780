//! All of it together, and what is promised.

use crate::models::explorer::Model;
use crate::models::outbox::case::Case;
use crate::models::outbox::world::{Holder, Work, World};
use crate::models::outbox::{client, relays, writers};

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A transaction.
    Writer(usize, writers::Act),
    /// A relay.
    Relay(usize, relays::Act),
    /// A broker.
    Broker(client::Act),
    /// Time: the lease of this slot ends.
    Expire(usize),
}

impl Model for Case {
    type State = World;
    type Action = Action;

    fn first(&self) -> World {
        World::new(self)
    }

    fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions = Vec::new();
        for writer in 0..world.writers.len() {
            let acts = writers::acts(self, world, writer);
            actions.extend(acts.into_iter().map(|act| Action::Writer(writer, act)));
        }
        for relay in 0..world.relays.len() {
            let acts = relays::acts(self, world, relay);
            actions.extend(acts.into_iter().map(|act| Action::Relay(relay, act)));
        }
        actions.extend(client::acts(self, world).into_iter().map(Action::Broker));
        for (number, slot) in world.slots.iter().enumerate() {
            let can_end = match slot.holder {
                Holder::Nobody => false,
                Holder::Relay(_) => world.left.expiries > 0,
                Holder::Dead => true,
            };
            actions.extend((can_end && !slot.is_over).then_some(Action::Expire(number)));
        }
        actions
    }

    fn step(&self, world: &World, action: Action) -> World {
        let mut world = world.clone();
        match action {
            Action::Writer(writer, act) => writers::step(self, &mut world, writer, act),
            Action::Relay(relay, act) => relays::step(self, &mut world, relay, act),
            Action::Broker(act) => client::step(self, &mut world, act),
            Action::Expire(slot) => {
                world.left.expiries -= u8::from(world.slots[slot].holder != Holder::Dead);
                world.slots[slot].is_over = true;
            }
        }
        world
    }

    fn broken(&self, world: &World) -> Option<&'static str> {
        let asked = |promise: &str| self.promise.is_none_or(|asked| asked == promise);
        let mut broken = PROMISES.iter().filter(|(_, is_kept)| !is_kept(world));
        broken.find(|(promise, _)| asked(promise)).map(|(promise, _)| *promise)
    }

    fn is_done(&self, world: &World) -> bool {
        world.writers.iter().all(|writer| writer.ended)
            && world.relays.iter().all(|relay| relay.work == Work::Idle)
            && world.commits == world.topic
            && world.rows.is_empty()
            && world.held.is_empty()
    }

    fn is_mishap(&self, world: &World, action: Action) -> bool {
        match action {
            Action::Relay(_, relays::Act::Crash | relays::Act::Return) => true,
            Action::Broker(client::Act::Refuse(..) | client::Act::Overtake(..)) => true,
            Action::Expire(slot) => world.slots[slot].holder != Holder::Dead,
            _ => false,
        }
    }
}

/// A rolled back row has no copy.
pub const ONLY_COMMITTED: &str = "nothing that was rolled back is on the topic";
/// What the whole thing is for.
pub const IN_ORDER: &str = "the first copies of a key are in the order of commits";
/// Nothing is lost by deleting.
pub const DELETED_IS_WRITTEN: &str = "what was deleted is on the topic";
/// No key waits behind nothing.
pub const HELD_IS_THERE: &str = "what holds a key is a row that waits";
/// Whoever slept changes nothing when woken.
pub const OWN_ONLY: &str = "a relay changes nothing that is no longer its own";
/// Copies are the price of mishaps, not of every day.
pub const ONCE: &str = "without mishaps each row is written once";

/// What has to hold in each state; that nothing is lost needs all of them ([`LOST`]).
///
/// [`LOST`]: crate::models::explorer::LOST
const PROMISES: [(&str, Kept); 6] = [
    (ONLY_COMMITTED, only_committed),
    (IN_ORDER, in_order),
    (DELETED_IS_WRITTEN, deleted_is_written),
    (HELD_IS_THERE, held_is_there),
    (OWN_ONLY, |world| !world.trespassed),
    (ONCE, |world| !world.repeated),
];

type Kept = fn(&World) -> bool;

fn only_committed(world: &World) -> bool {
    let mut both = world.topic.iter().zip(&world.commits);
    both.all(|(topic, commits)| topic.iter().all(|row| commits.contains(row)))
}

/// Without gaps, which is more than order: what is on the topic is how the commits begin.
fn in_order(world: &World) -> bool {
    world.topic.iter().zip(&world.commits).all(|(topic, commits)| commits.starts_with(topic))
}

fn deleted_is_written(world: &World) -> bool {
    let is_written = |row| world.topic.iter().any(|key| key.contains(row));
    let mut committed = world.commits.iter().flatten();
    committed.all(|row| world.sees(*row) || is_written(row))
}

fn held_is_there(world: &World) -> bool {
    world.held.iter().all(|&row| world.sees(row))
}
