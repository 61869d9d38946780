//! Services on a broker: what delivery promises, watched from outside.

mod back_pressure;
mod bad_input;
mod exchange;
mod failures;
mod harness;
mod killed_process;
mod lost_partitions;
mod offsets;
mod outages;
mod rebalance;
pub(crate) mod rig;
mod start_and_stop;
