//! The table of targets: one for every decoder of bytes that others made, and for every file.

mod batch;
mod broker;
mod cli;
mod config;
mod entry;
mod event;
mod event_json;
mod journal;
mod log;
mod progress;
mod request;
mod stream;

/// One target. Returning is all that it has to do: a panic, a hang or too much memory is a finding.
pub(crate) struct Target {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it hands its bytes to.
    #[cfg_attr(fuzzing, allow(dead_code, reason = "only `fuzz list` prints it"))]
    pub(crate) what: &'static str,
    /// Takes any bytes.
    pub(crate) run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident: $what:literal,)*) => {
        /// All of them.
        pub(crate) const ALL: &[Target] =
            &[$(Target { name: stringify!($name), what: $what, run: $name::run },)*];
    };
}

targets! {
    stream: "a connection's bytes: frames, guard, codec",
    request: "every request in every version: guard and codec",
    broker: "requests carried out by a broker in memory, answers encoded",
    batch: "record batches: validate, append, read, look up by time in each compression",
    log: "a partition's directory: segments, indexes, producers, start; recovery and check",
    journal: "a journal's file: recovery, append, rewrite",
    entry: "entries of the journals of topics, ids and offsets; a member's subscription",
    progress: "the metadata of commits",
    event: "records as CloudEvents in both modes, dead letters, traces",
    event_json: "CloudEvents as JSON, lines of JSON",
    config: "tidings.toml and the environment",
    cli: "positions, times and addresses on the command line",
}

/// The target of this name.
pub(crate) fn find(name: &str) -> Option<&'static Target> {
    ALL.iter().find(|target| target.name == name)
}
