//! The binary as people and scripts use it: each test starts `tidings broker` on a free port and
//! runs commands against it.

mod broker;
mod dev;
mod dlq;
mod errors;
mod events;
mod flow;
mod groups;
mod machine;
mod new_service;
mod settings;
mod topics;
mod walk_through;
