//! The binary `tidings broker` in a process of its own, on a disk and among clients that are out to
//! break it. Run by `cargo xtask disk` and `cargo xtask hostile`, which build it and name it in
//! `TIDINGS_TEST_BINARY`; the disk's tests need strace, and the right to mount a tmpfs.
//!
//! Each prints rows: a name, a value, the goal.

mod disk_fails;
mod disk_full;
mod hostile_bombs;
mod hostile_crowd;
mod hostile_frames;
mod hostile_slow;
mod process;
mod records;

use std::fmt::Display;

/// A figure as it is printed: `name value goal`.
fn row(name: &str, value: impl Display, goal: &str) {
    println!("{name} {value} {goal}");
}

/// A size that the caller may choose, by an environment variable.
fn size(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
