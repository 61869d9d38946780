//! A model of the outbox, of the leases of its slots and of the relays, looked through completely:
//! everything that writers, relays, brokers and time can do to each other in small cases, in every
//! order. It says nothing about the SQL and the client themselves, which have tests of their own,
//! but that the way they are put together keeps what is promised:
//!
//! - the first copies of a key are on the topic in the order of commits, without gaps;
//! - what was rolled back is not there, and what was deleted is;
//! - from wherever things stand, every committed row gets to the topic if nothing more goes wrong;
//! - a relay that was stopped and woken changes nothing that is no longer its own, and a key waits
//!   behind a row that there is;
//! - while nothing goes wrong, each row is written once.
//!
//! **Late copies.** Neither a relay that goes on sending after its lease, nor what a dead client
//! has under way, can put a *first* copy out of order, as long as a partition takes nothing behind
//! a refused record. All that a client is given of a key is an unbroken run of it, and begins with
//! a row before which everything is on the topic: reads begin with the lowest row, and a row goes
//! only when it is on the topic. Each such run may be cut off or come late, so what it brings is
//! either the next first copy or one more of an old one.
//!
//! **Where that ends.** Brokers take any first number from a producer that they do not know, and
//! an error makes a relay begin with a new producer. So the first record that a client has for a
//! partition can be refused, and the one behind it written; then order breaks, or a row is lost:
//! `a_broker_that_trusts_new_clients`. Waiting for a client's first answer from a partition before
//! it sends more there closes the gap, so that is what the relay does, with its rounds of two waves
//! (`relay/round.rs` of the library).
//!
//! **Left out.** Bytes, topics and limits: a key has a partition of its own, a row without a key is
//! a key with one row, and everything readable is read. Clocks: a lease may end at any moment
//! that its case allows, and a relay may notice or not. Second copies: they are counted only where
//! nothing went wrong. A refusal is an event and no property of the row, so the same row may be
//! taken the next time, or not.

mod case;
mod client;
mod promises;
mod relays;
mod world;
mod writers;

use case::{Broker, Bug, Case, Mishaps};
use promises::{DELETED_IS_WRITTEN, HELD_IS_THERE, IN_ORDER, ONCE, OWN_ONLY};

use crate::models;
use crate::models::explorer::LOST;

/// Two transactions that publish the same key, and two relays.
const ONE_KEY: Case = Case {
    writers: &[&[0], &[0]],
    slots: &[0],
    relays: 2,
    mishaps: CALM,
    broker: Broker::Strict,
    is_first_alone: false,
    bug: None,
    promise: None,
};
const THREE_WRITERS: Case = Case { writers: &[&[0], &[0], &[0]], ..ONE_KEY };
const TWO_KEYS: Case = Case { writers: &[&[0], &[1]], slots: &[0, 0], ..ONE_KEY };
const TWO_SLOTS: Case = Case { writers: &[&[0], &[1]], slots: &[0, 1], ..ONE_KEY };
/// Transactions of several rows: of a key twice, of two keys, of two keys in the other order.
const LARGE: Case = Case { writers: &[&[0, 0], &[0]], ..ONE_KEY };
const BOTH_KEYS: Case = Case { writers: &[&[0, 1], &[0, 1]], slots: &[0, 0], ..ONE_KEY };
const CROSSWISE: Case = Case { writers: &[&[0, 1], &[1, 0]], slots: &[0, 1], ..ONE_KEY };

const CALM: Mishaps = Mishaps { crashes: 0, expiries: 0, refusals: 0, returns: 0 };
const CRASH: Mishaps = Mishaps { crashes: 1, ..CALM };
const EXPIRY: Mishaps = Mishaps { expiries: 1, ..CALM };
const REFUSAL: Mishaps = Mishaps { refusals: 1, ..CALM };
/// The second one is what it takes to hold a row.
const HELD: Mishaps = Mishaps { refusals: 2, ..CALM };
const RETURN: Mishaps = Mishaps { returns: 1, ..CALM };

#[test]
fn while_nothing_goes_wrong() {
    for case in [ONE_KEY, THREE_WRITERS, TWO_KEYS, TWO_SLOTS, LARGE, BOTH_KEYS, CROSSWISE] {
        keeps(case, CALM);
    }
}

#[test]
fn a_key_survives_a_crash_a_lost_lease_and_a_held_row() {
    keeps(ONE_KEY, Mishaps { expiries: 1, crashes: 1, ..HELD });
}

#[test]
fn a_key_survives_two_lost_leases_and_a_held_row() {
    keeps(ONE_KEY, Mishaps { expiries: 2, ..HELD });
}

#[test]
fn a_key_survives_a_relay_that_stops() {
    keeps(ONE_KEY, Mishaps { returns: 1, expiries: 1, ..HELD });
}

#[test]
fn three_writers_of_a_key() {
    keeps(THREE_WRITERS, Mishaps { refusals: 1, ..EXPIRY });
    keeps(THREE_WRITERS, Mishaps { crashes: 1, ..HELD });
}

#[test]
fn a_transaction_of_several_rows_of_a_key() {
    keeps(LARGE, Mishaps { expiries: 1, ..HELD });
}

#[test]
fn a_held_key_beside_another() {
    keeps(TWO_KEYS, Mishaps { expiries: 1, ..HELD });
    keeps(TWO_KEYS, Mishaps { crashes: 1, ..HELD });
}

#[test]
fn transactions_of_two_keys() {
    keeps(BOTH_KEYS, EXPIRY);
    keeps(BOTH_KEYS, Mishaps { crashes: 1, ..REFUSAL });
}

#[test]
fn transactions_that_take_their_keys_in_opposite_orders() {
    keeps(CROSSWISE, REFUSAL);
    keeps(CROSSWISE, CRASH);
    keeps(CROSSWISE, EXPIRY);
    keeps(CROSSWISE, RETURN);
}

#[test]
fn relays_that_share_two_slots() {
    keeps(TWO_SLOTS, Mishaps { expiries: 1, ..REFUSAL });
    keeps(TWO_SLOTS, Mishaps { crashes: 1, ..HELD });
    keeps(TWO_SLOTS, Mishaps { returns: 1, ..HELD });
}

#[test]
fn mistakes_of_writers_are_found() {
    breaks(IN_ORDER, Case { bug: Some(Bug::PositionBeforeLock), ..ONE_KEY }, CALM);
}

#[test]
fn mistakes_in_reading_and_sending_are_found() {
    breaks(LOST, Case { bug: Some(Bug::Cursor), ..TWO_KEYS }, CALM);
    breaks(IN_ORDER, Case { bug: Some(Bug::SendBehindHeld), ..ONE_KEY }, HELD);
    breaks(IN_ORDER, Case { bug: Some(Bug::Gaps), ..ONE_KEY }, REFUSAL);
    breaks(DELETED_IS_WRITTEN, Case { bug: Some(Bug::DeleteBeforeAnswer), ..ONE_KEY }, CALM);
}

#[test]
fn mistakes_with_leases_are_found() {
    let mishaps = Mishaps { expiries: 1, ..HELD };
    breaks(HELD_IS_THERE, Case { bug: Some(Bug::DeleteWithoutEpoch), ..ONE_KEY }, mishaps);
    breaks(HELD_IS_THERE, Case { bug: Some(Bug::HoldWithoutEpoch), ..ONE_KEY }, mishaps);
    breaks(OWN_ONLY, Case { bug: Some(Bug::DeleteWithoutEpoch), ..ONE_KEY }, EXPIRY);
    breaks(OWN_ONLY, Case { bug: Some(Bug::HoldWithoutEpoch), ..ONE_KEY }, mishaps);
    breaks(OWN_ONLY, Case { bug: Some(Bug::LetGoOfOthers), ..TWO_SLOTS }, mishaps);
    breaks(ONCE, Case { bug: Some(Bug::ClaimEarly), ..ONE_KEY }, CALM);
}

/// What the words at these mistakes say: copies and holds go wrong, order and rows do not.
#[test]
fn mistakes_with_leases_cost_neither_order_nor_rows() {
    let mishaps = Mishaps { expiries: 1, ..HELD };
    for promise in [IN_ORDER, DELETED_IS_WRITTEN] {
        let with = |bug| Case { bug: Some(bug), promise: Some(promise), ..ONE_KEY };
        keeps(with(Bug::DeleteWithoutEpoch), mishaps);
        keeps(with(Bug::HoldWithoutEpoch), mishaps);
        keeps(with(Bug::ClaimEarly), HELD);
    }
}

/// A new client's first record of a partition is refused, and the broker, which does not know the
/// client, takes the one behind it. Refused for good, the first row is held and comes behind the
/// second one, if ever; refused for the moment, it is deleted with it and lost.
#[test]
fn a_broker_that_trusts_new_clients() {
    let trusting = Case { broker: Broker::Trusting, ..ONE_KEY };
    breaks(IN_ORDER, trusting, REFUSAL);
    breaks(DELETED_IS_WRITTEN, trusting, REFUSAL);

    // As the relay does it.
    let careful = Case { is_first_alone: true, ..trusting };
    keeps(careful, Mishaps { crashes: 1, expiries: 1, ..REFUSAL });
    keeps(careful, Mishaps { expiries: 1, ..HELD });
    keeps(Case { writers: THREE_WRITERS.writers, ..careful }, Mishaps { returns: 1, ..HELD });
}

/// Looks at everything that can happen.
fn keeps(case: Case, mishaps: Mishaps) {
    models::keeps(&Case { mishaps, ..case });
}

/// Finds the shortest way to break this promise.
fn breaks(promise: &'static str, case: Case, mishaps: Mishaps) {
    models::breaks(promise, &Case { mishaps, promise: Some(promise), ..case });
}
