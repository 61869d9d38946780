//! What both databases have to do alike: each test runs on SQLite, and on a real PostgreSQL when
//! there is one (`cargo xtask stores` starts it). Only `model` needs no database: it looks through
//! what writers, relays and brokers can do to each other.

mod backlog;
mod ground;
mod inbox;
mod migrations;
mod model;
mod order;
mod outbox;
mod parking;
mod positions;
mod rows;
mod slots;

use tidings_store::Store;
