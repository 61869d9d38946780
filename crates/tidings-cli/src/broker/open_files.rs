//! How many files the broker may have open. Systems give a process 1,024 unless it asks, and let it
//! ask for many more: each connection is one, and each segment that is in use.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The most connections, however many files there may be: what an idle one costs is measured for
/// this many (docs/broker.md).
const MOST_CONNECTIONS: u64 = 20_000;
/// What is assumed if the system does not say.
const USUAL_FILES: u64 = 1_024;

/// Raises this process's limit of open files as far as it may, and says how many connections that
/// allows: three of four files. The rest is for segments, since a partition that cannot open its
/// next one takes no more records.
pub(super) fn connections() -> usize {
    let files = raise().unwrap_or(USUAL_FILES);
    usize::try_from((files / 4 * 3).min(MOST_CONNECTIONS)).unwrap_or(usize::MAX)
}

fn raise() -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return Some(hard);
    }
    Some(soft)
}
