//! Integration tests of the library, named by behaviour; all of them in one binary, which links
//! once.

mod broker;
mod embedded_broker;
mod examples;
#[path = "../../../tidings-store/tests/it/ground.rs"]
mod ground;
mod mistakes;
#[path = "../../../tidings-broker/tests/it/support/named.rs"]
mod named;
mod outbox;
mod process;
mod publishing;
mod services;
mod stored;

use tidings::Store;
