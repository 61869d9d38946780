//! How a broker is to run: every setting with its default and the reason for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};

/// What an acknowledged write has survived by the time that it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk: one `fdatasync` for all that waits, before the acknowledgement. It
    /// survives a power failure.
    Power,
    /// It is in the operating system's page cache. It survives `kill -9` of this process, not a
    /// power failure.
    Process,
}

impl std::fmt::Display for Durability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Durability::Power => "power",
            Durability::Process => "process",
        })
    }
}

impl std::str::FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "power" => Ok(Durability::Power),
            "process" => Ok(Durability::Process),
            other => Err(format!("`{other}` is no durability: use `power` or `process`")),
        }
    }
}

/// Settings of one broker: `Config { default_partitions: 1, ..Config::memory() }`.
#[derive(Clone)]
pub struct Config {
    /// Where the data lives; `None` keeps it in memory, gone when the broker stops.
    pub data: Option<PathBuf>,
    /// Where to listen. Port 0 picks a free one; [`crate::Broker::addr`] tells which.
    pub listen: SocketAddr,
    /// The host and port that clients are told to connect to; `None` means the bound address.
    /// Port 0 means the bound port.
    pub advertise: Option<(String, u16)>,
    /// What an acknowledgement promises. In memory there is nothing to sync.
    pub durability: Durability,
    /// Whether a client's metadata request may create the topics that it names.
    pub auto_create_topics: bool,
    /// Partitions of a topic whose creator did not say how many.
    pub default_partitions: i32,
    /// In memory: the most bytes of records that are kept. Beyond it the oldest segments of the
    /// largest partitions go, as retention would remove them, and the log says so.
    pub memory_limit_bytes: u64,
    /// Listen on an address that other machines can reach. There is no access control: whoever
    /// reaches the port can read, write and delete everything.
    pub danger_open_listener: bool,
    /// How often retention is applied.
    pub retention_interval: Duration,
    /// How long an empty group waits for further members before its first rebalance completes.
    /// Kafka waits 3 s to gather a fleet; on one machine nobody wants to wait.
    pub group_initial_rebalance_delay: Duration,
    /// The most connections at a time; further ones are closed at once.
    pub max_connections: usize,
    /// A connection on which nothing was asked for this long is closed.
    pub idle_timeout: Duration,
    /// The clock that record timestamps, retention and expiry go by.
    #[doc(hidden)]
    pub clock: Arc<dyn Clock>,
    /// A storage to use instead of the disk or the memory: failure tests script one.
    #[doc(hidden)]
    pub storage: Option<Arc<dyn tidings_log::storage::Storage>>,
}

impl Config {
    /// A broker in memory on a free port of the loopback interface.
    pub fn memory() -> Config {
        Config {
            data: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            advertise: None,
            durability: Durability::Process,
            auto_create_topics: true,
            default_partitions: 4,
            memory_limit_bytes: 1 << 30,
            danger_open_listener: false,
            retention_interval: Duration::from_secs(30),
            group_initial_rebalance_delay: Duration::ZERO,
            max_connections: crate::limits::MAX_CONNECTIONS,
            idle_timeout: crate::limits::IDLE_TIMEOUT,
            clock: Arc::new(SystemClock),
            storage: None,
        }
    }

    /// A broker that keeps its data in `directory`, on a free port of the loopback interface,
    /// durable against power failure.
    pub fn at(directory: impl Into<PathBuf>) -> Config {
        Config { data: Some(directory.into()), durability: Durability::Power, ..Config::memory() }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("data", &self.data)
            .field("listen", &self.listen)
            .field("advertise", &self.advertise)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
