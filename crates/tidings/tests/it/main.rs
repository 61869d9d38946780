//! Integration tests of the library, named by behaviour; all of them in one binary, which links
//! once.

mod broker;
mod embedded_broker;
mod examples;
mod mistakes;
#[path = "../../../tidings-broker/tests/it/support/named.rs"]
mod named;
mod publishing;
mod services;
