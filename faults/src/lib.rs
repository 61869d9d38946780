//! Faults on purpose: tools that hurt a Kafka broker and its clients, and tell what it cost.
//!
//! A run makes a *history* (what was sent, acknowledged, read, committed); a checker that knows
//! nothing of the broker reads it afterwards and says what was lost, doubled or reordered. The
//! tools work against any broker that speaks Kafka's protocol: ours and Apache Kafka itself.

pub mod history;
pub mod kill;
pub mod proxy;
pub mod random;
pub mod storm;
pub mod trial;
pub mod wire;

/// What a tool returns: a sentence for a person is all that an error has to be here.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
