//! What every request handler may reach: one place per state, each with one owner.

use std::net::SocketAddr;
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;

use crate::clock::Clock;
use crate::config::Config;

/// The broker's parts, shared by its tasks. Handlers get `&Shared`.
pub(crate) struct Shared {
    /// How the broker was asked to run.
    pub(crate) config: Config,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// The host and port that clients are told.
    pub(crate) advertised: (String, u16),
    /// This cluster's id: 22 characters, the same after each restart.
    pub(crate) cluster_id: String,
}

/// Who asks: one connection, and what its client says about itself in the request's header.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// The connection's other end.
    pub(crate) addr: SocketAddr,
    /// The `client.id` of this request; empty if the client gave none.
    pub(crate) id: StrBytes,
}
