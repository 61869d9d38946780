//! What both databases have to do alike: each test runs on SQLite, and on a real PostgreSQL when
//! there is one (`cargo xtask stores` starts it). Only `models` need no database: they look
//! through what everybody who takes part can do to each other.

mod backlog;
mod batch;
mod ground;
mod inbox;
mod migrations;
mod models;
mod order;
mod outbox;
mod parking;
mod positions;
mod rows;
mod slots;

use tidings_store::Store;
