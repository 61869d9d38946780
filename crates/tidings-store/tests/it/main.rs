//! What both databases have to do alike: each test runs on SQLite, and on a real PostgreSQL when
//! there is one (`cargo xtask stores` starts it).

mod backlog;
mod ground;
mod migrations;
mod order;
mod outbox;
mod rows;
mod slots;

use tidings_store::Store;
