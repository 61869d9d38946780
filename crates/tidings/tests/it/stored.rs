//! Handling with a store: rows, events and the mark that an event was handled, together or not at
//! all.

mod acts;
mod batches;
mod crash_points;
mod once;
mod outages;
mod parking;
mod positions;
mod processes;
mod rig;
