//! Writers: what PostgreSQL makes of transactions that insert into the outbox. Lock and position
//! are two steps here though they are one statement, since the database does not take both at once.

use crate::models::outbox::case::{Bug, Case};
use crate::models::outbox::world::{Row, World};

/// What a transaction can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Takes the lock of its next key.
    Lock,
    /// Takes a position and inserts the row.
    Insert,
    /// Makes its rows visible and frees its locks.
    Commit,
    /// Takes its rows back and frees its locks: at any time, as after a deadlock.
    RollBack,
}

/// What this one can do now.
pub fn acts(case: &Case, world: &World, writer: usize) -> Vec<Act> {
    let me = &world.writers[writer];
    if me.ended {
        return Vec::new();
    }
    let Some(&key) = case.writers[writer].get(me.steps / 2) else {
        return vec![Act::Commit, Act::RollBack];
    };
    let next = next(case, me.steps);
    let is_free = next == Act::Insert || !is_locked(case, world, writer, key);
    if is_free { vec![next, Act::RollBack] } else { vec![Act::RollBack] }
}

/// What comes of it.
pub fn step(case: &Case, world: &mut World, writer: usize, act: Act) {
    let is_mine = |row: &Row| row.writer == Some(writer);
    match act {
        Act::Lock => world.writers[writer].steps += 1,
        Act::Insert => {
            let key = case.writers[writer][world.writers[writer].steps / 2];
            world.keys.push(key);
            let position = world.keys.len() as u8;
            world.rows.push(Row { position, writer: Some(writer) });
            world.writers[writer].steps += 1;
        }
        Act::Commit => {
            for row in world.rows.iter_mut().filter(|row| is_mine(row)) {
                row.writer = None;
                let key = world.keys[row.position as usize - 1];
                world.commits[key as usize].push(row.position);
            }
            world.writers[writer].ended = true;
        }
        Act::RollBack => {
            world.rows.retain(|row| !is_mine(row));
            world.writers[writer].ended = true;
        }
    }
}

fn next(case: &Case, steps: usize) -> Act {
    let locks = steps.is_multiple_of(2) != case.has(Bug::PositionBeforeLock);
    if locks { Act::Lock } else { Act::Insert }
}

fn is_locked(case: &Case, world: &World, by_other_than: usize, key: u8) -> bool {
    let locks = |writer: usize| {
        let steps = 0..world.writers[writer].steps;
        steps.filter(|&step| next(case, step) == Act::Lock).map(|step| step / 2)
    };
    (0..world.writers.len())
        .filter(|&writer| writer != by_other_than && !world.writers[writer].ended)
        .any(|writer| locks(writer).any(|at| case.writers[writer][at] == key))
}
