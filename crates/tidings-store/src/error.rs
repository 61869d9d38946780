//! What can go wrong with a store, as sentences.

/// Why the database did not do what the store asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("the store {place} cannot be opened: {source}")]
    Open {
        /// The file or the server, without a password.
        place: String,
        /// The driver's reason.
        source: sqlx::Error,
    },
    /// A statement failed.
    #[error("the store cannot {what}: {source}")]
    Database {
        /// What was to be done.
        what: &'static str,
        /// The driver's reason.
        source: sqlx::Error,
    },
    /// The tables are older or newer than this library.
    #[error(
        "the store's tables are of version {found}, and this library needs {needed}: {}",
        if found < needed { "run `Store::migrate`, or apply the scripts of `Store::migrations`" }
        else { "a newer version of the library has migrated them, and this one must not write" }
    )]
    Version {
        /// The newest script that was applied; 0 without any.
        found: i64,
        /// The newest that this library has.
        needed: i64,
    },
    /// The transaction was not begun.
    #[error(
        "an earlier event of the same key is parked, or this one is no longer the first: its \
         handler has to wait for its turn"
    )]
    NotItsTurn,
    /// A parked event holds what the store never writes.
    #[error("the parked event {address} cannot be read: {reason}")]
    Parked {
        /// Where the event lay.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A row holds what the store never writes.
    #[error("row {position} of the outbox cannot be read: {reason}")]
    Row {
        /// The row's position.
        position: i64,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    pub(crate) fn of(what: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
        move |source| StoreError::Database { what, source }
    }

    /// sqlx's error, for those who speak sqlx.
    pub(crate) fn into_source(self) -> sqlx::Error {
        match self {
            StoreError::Open { source, .. } | StoreError::Database { source, .. } => source,
            other => sqlx::Error::Configuration(Box::new(other)),
        }
    }

    /// Can the same call succeed later, with nothing changed: the connection broke, the database
    /// is locked, two transactions took locks in opposite orders, or a serialisation failed?
    pub fn is_retryable(&self) -> bool {
        let (StoreError::Open { source, .. } | StoreError::Database { source, .. }) = self else {
            return false;
        };
        match source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(error) => error.code().is_some_and(|code| is_retryable(&code)),
            _ => false,
        }
    }
}

/// PostgreSQL: class 08 (connection), 40 (transaction rollback), 53 (resources), 57 (operator
/// intervention), 55P03 (lock not available); appendix A of its manual. SQLite: SQLITE_BUSY and
/// SQLITE_LOCKED with their extended codes, whose lowest byte is the primary one.
fn is_retryable(code: &str) -> bool {
    if code.len() == 5 {
        let class = code.get(..2).unwrap_or_default();
        return code == "55P03" || ["08", "40", "53", "57"].contains(&class);
    }
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}

#[cfg(test)]
mod tests {
    use super::is_retryable;

    #[test]
    fn codes_that_another_try_can_cure() {
        let cases = [
            ("40P01", true),  // deadlock
            ("40001", true),  // serialisation
            ("57P01", true),  // the server is shut down
            ("55P03", true),  // lock not available
            ("23505", false), // unique
            ("42P01", false), // no such table
            ("4€1", false),   // no code at all, and no character ends behind its second byte
            ("5", true),      // SQLITE_BUSY
            ("517", true),    // SQLITE_BUSY_SNAPSHOT
            ("1", false),
            ("2067", false), // SQLITE_CONSTRAINT_UNIQUE
        ];
        for (code, expected) in cases {
            assert_eq!(is_retryable(code), expected, "{code}");
        }
    }
}
