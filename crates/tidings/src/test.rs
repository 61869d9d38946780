//! Testing services: their handlers without a broker, and a broker in the test's own process.

#[cfg(feature = "embedded")]
mod broker;
mod handled;
mod harness;

#[cfg(feature = "embedded")]
pub use broker::Broker;
pub use handled::{Burial, Handled};
pub use harness::{Harness, service};
