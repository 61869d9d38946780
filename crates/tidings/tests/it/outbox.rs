//! Outbox and relay against a broker: what commits is published, in order, and nothing else.

mod away;
mod held;
mod processes;
mod relaying;
pub(crate) mod rig;
