//! The shop as a whole, its services as tasks of one process over a broker in memory: every order
//! ends, the databases agree, and nothing is lost when services die.

mod bank;
mod postgres;
mod reruns;
mod shop;
mod whole_run;
