//! Why a broker does not start or stop, as sentences for the one who started it.

use std::io;
use std::net::SocketAddr;

use tidings_log::DataDirError;

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port belongs to another process.
    #[error(
        "{addr} is in use{}; stop it, or choose another port (0 picks a free one)",
        by_text(by)
    )]
    AddressInUse {
        /// The address that was asked for.
        addr: SocketAddr,
        /// The process that has it, if that can be found out.
        by: Option<String>,
    },
    /// The address cannot be bound for another reason.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The address that was bound cannot be told.
    #[error("cannot tell which address was bound: {0}")]
    Address(io::Error),
    /// Other machines could reach the address, and nothing would keep them out.
    #[error(
        "{addr} can be reached from other machines, and this broker has no access control: \
         whoever reaches it can read, write and delete everything; listen on 127.0.0.1, or accept \
         that with danger_open_listener (--danger-open-listener)"
    )]
    OpenListener {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// The data directory cannot be used: somebody else has it, a newer version wrote it, ...
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// What is in the data directory cannot be used.
    #[error("cannot open the broker's data: {0}")]
    Data(Box<dyn std::error::Error + Send + Sync>),
    /// The system gives no threads.
    #[error("cannot start the broker's threads: {0}")]
    Threads(io::Error),
    /// The start was given up.
    #[error("the broker's start was cancelled")]
    Cancelled,
}

impl StartError {
    pub(crate) fn data(error: impl std::error::Error + Send + Sync + 'static) -> StartError {
        StartError::Data(Box::new(error))
    }
}

/// Why a broker did not stop cleanly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// Something could not be closed. What was acknowledged is safe; the next start verifies.
    #[error("the broker did not stop cleanly: {0}; the next start verifies the logs")]
    Close(String),
}

fn by_text(by: &Option<String>) -> String {
    by.as_ref().map_or_else(String::new, |process| format!(" by {process}"))
}
