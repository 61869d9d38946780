//! Crash points, for tests: a process that dies before or after a certain statement, so that each
//! boundary between two of them is met and not only those that chance finds. There is nothing here
//! without the feature `crash-points`, and nothing happens without the variables below.
//!
//! A point is `before NAME` or `after NAME`: NAME is a statement's file, or `commit NAME` with the
//! last statement of the transaction that commits.

/// Which side of a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Before,
    After,
}

#[cfg(feature = "crash-points")]
pub(crate) use on::{commits, reached};

/// No point is reached without the feature.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn reached(_: Side, _: &'static str) {}

/// No point is reached without the feature.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn commits(_: Side, _: &'static str) {}

#[cfg(feature = "crash-points")]
mod on {
    use std::collections::HashSet;
    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::sync::{LazyLock, Mutex, PoisonError};

    use super::Side;
    use crate::statements::Statements;

    /// The point at which this process dies.
    const DIES: &str = "TIDINGS_STORE_DIES";
    /// A file that gets a line for each point that this process has come by.
    const COMES_BY: &str = "TIDINGS_STORE_COMES_BY";

    struct Plan {
        dies: Option<String>,
        comes_by: Option<String>,
        seen: Mutex<HashSet<String>>,
    }

    static PLAN: LazyLock<Plan> = LazyLock::new(|| Plan {
        dies: std::env::var(DIES).ok(),
        comes_by: std::env::var(COMES_BY).ok(),
        seen: Mutex::default(),
    });

    pub(crate) fn reached(side: Side, sql: &'static str) {
        at(side, "", sql);
    }

    pub(crate) fn commits(side: Side, last: &'static str) {
        at(side, "commit ", last);
    }

    fn at(side: Side, what: &str, sql: &'static str) {
        if PLAN.dies.is_none() && PLAN.comes_by.is_none() {
            return;
        }
        let Some(name) = Statements::name_of(sql) else { return };
        let side = match side {
            Side::Before => "before",
            Side::After => "after",
        };
        let point = format!("{side} {what}{name}");
        if PLAN.dies.as_ref() == Some(&point) {
            // As by kill -9: nothing is closed, nothing is said.
            std::process::abort();
        }
        let is_new = PLAN.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(point.clone());
        if let (true, Some(path)) = (is_new, &PLAN.comes_by) {
            let file = OpenOptions::new().create(true).append(true).open(path);
            // Who asked for the list sees that it is not there.
            let line = format!("{point}\n");
            let _told = file.and_then(|mut file| file.write_all(line.as_bytes()));
        }
    }
}
