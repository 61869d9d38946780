//! Services on the embedded broker: what delivery promises, watched from outside.

mod exchange;
mod rig;
