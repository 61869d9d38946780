//! The broker as its clients see it: over sockets, with bare bytes and with librdkafka.

mod clients;
mod conformance;
mod durability;
mod groups;
mod hostile;
mod pitfalls;
mod release;
mod startup;
mod support;
mod topics;
