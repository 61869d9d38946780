//! What every request handler may reach: one place per state, each with one owner.

use std::net::SocketAddr;
use std::sync::Arc;

use kafka_protocol::messages::BrokerId;
use kafka_protocol::protocol::StrBytes;

use crate::clock::Clock;
use crate::config::Config;
use crate::groups::Groups;
use crate::ids::Ids;
use crate::memory::Memory;
use crate::reserve::Reserve;
use crate::stats::Counters;
use crate::stop::Stop;
use crate::topics::Topics;
use crate::wire::frames::LargeFrames;

/// The only node of this cluster: leader of all partitions, coordinator of all groups.
pub(crate) const NODE_ID: BrokerId = BrokerId(1);

/// The leader epoch of all partitions for ever: leadership never changes on a single node.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// The broker's parts, shared by its tasks. Handlers get `&Shared`.
pub(crate) struct Shared {
    /// How the broker was asked to run.
    pub(crate) config: Config,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// The host and port that clients are told.
    pub(crate) advertised: (String, u16),
    /// All topics and their partitions.
    pub(crate) topics: Arc<Topics>,
    /// The cluster's id, and those of idempotent producers.
    pub(crate) ids: Arc<Ids>,
    /// The consumer groups.
    pub(crate) groups: Groups,
    /// What has been done so far.
    pub(crate) stats: Counters,
    /// When to end.
    pub(crate) stop: Stop,
    /// The budget for large requests.
    pub(crate) large_frames: LargeFrames,
    /// When to look at the memory budget.
    pub(crate) memory: Memory,
    /// What records may not take of the disk.
    pub(crate) reserve: Reserve,
}

/// Who asks: one connection, and what its client says about itself in the request's header.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// The connection's other end.
    pub(crate) addr: SocketAddr,
    /// The `client.id` of this request; empty if the client gave none.
    pub(crate) id: StrBytes,
}
