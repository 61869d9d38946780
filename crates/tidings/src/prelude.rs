//! What a service's code needs, and nothing else: `use tidings::prelude::*;`.

pub use crate::{Event, Events, Fail, Meta, OrFail, Publisher, Service, State};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use crate::{Outbox, Store, Tx};
