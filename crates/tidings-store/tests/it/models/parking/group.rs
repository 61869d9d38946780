//! The group: whose a partition is, what an instance believes to have, and what is committed.
//!
//! The broker asks only whether somebody is a member, not what it owns. That an instance commits
//! nothing for an assignment that is over is its own doing.

use crate::models::parking::case::{Bug, Case};
use crate::models::parking::world::{INSTANCES, PARTITIONS, Seat, World};

/// What can happen in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// An instance commits a partition.
    Commit { instance: usize, partition: usize },
    /// An instance notices that it has lost a partition: it leaves what it has in hand.
    Notice { instance: usize, partition: usize },
    /// A partition goes to the other instance, which begins at the committed offset.
    Move { partition: usize },
    /// An instance dies and starts anew.
    Crash { instance: usize },
}

/// What can happen now.
pub fn acts(case: &Case, world: &World) -> Vec<Act> {
    let mut acts = Vec::new();
    for partition in (0..PARTITIONS).filter(|&partition| case.partition(partition).count() > 0) {
        for instance in 0..INSTANCES {
            let is_stale = world.partitions[partition].owner != instance;
            let Some(next) = next(case, world, instance, partition) else { continue };
            let is_new = next != world.partitions[partition].committed;
            if is_new && (!is_stale || case.has(Bug::CommitStale)) {
                acts.push(Act::Commit { instance, partition });
            }
            acts.extend(is_stale.then_some(Act::Notice { instance, partition }));
        }
        acts.extend((world.left.rebalances > 0).then_some(Act::Move { partition }));
    }
    for instance in (0..INSTANCES).filter(|_| world.left.crashes > 0) {
        let is_mine = |seat: Seat| seat.instance() == instance;
        let mut mine = world.workers.iter().filter(|worker| is_mine(worker.seat));
        let is_at_work = mine.any(|worker| worker.work.is_some());
        acts.extend(is_at_work.then_some(Act::Crash { instance }));
    }
    acts
}

/// What comes of it.
pub fn step(case: &Case, world: &mut World, act: Act) {
    match act {
        Act::Commit { instance, partition } => {
            let next = next(case, world, instance, partition).expect("it has the partition");
            let committed = &mut world.partitions[partition].committed;
            world.went_back |= next < *committed;
            *committed = next;
        }
        Act::Notice { instance, partition } => {
            world.drop_lanes(instance, partition);
            world.instances[instance].finished[partition] = None;
        }
        Act::Move { partition } => {
            world.left.rebalances -= 1;
            let owner = &mut world.partitions[partition].owner;
            *owner = (*owner + 1) % INSTANCES;
            world.assign(case, partition);
            world.mishap();
        }
        Act::Crash { instance } => {
            world.left.crashes -= 1;
            for worker in world.workers.iter_mut().filter(|it| it.seat.instance() == instance) {
                worker.work = None;
            }
            world.instances[instance] = Default::default();
            for partition in 0..PARTITIONS {
                if world.partitions[partition].owner == instance {
                    world.assign(case, partition);
                }
            }
            world.mishap();
        }
    }
}

/// What an instance would commit: everything below the lowest record that is not finished.
fn next(case: &Case, world: &World, instance: usize, partition: usize) -> Option<usize> {
    let finished = world.instances[instance].finished[partition]?;
    let is_finished = |record: &usize| finished & 1 << record != 0;
    if case.has(Bug::CommitHighest) {
        let last = case.partition(partition).enumerate().filter(|(_, it)| is_finished(it)).last();
        return Some(last.map_or(0, |(at, _)| at + 1));
    }
    Some(case.partition(partition).take_while(is_finished).count())
}
