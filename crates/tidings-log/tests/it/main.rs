//! Tests of the log as its users see it, one module per behaviour.

mod append_and_read;
mod checking;
mod faults;
mod fixtures;
mod kit;
mod model;
mod recovery;
mod retention;
mod storages;
mod times;
