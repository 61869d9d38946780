//! Every bound on what a client can make this broker hold or do, with its unit and its reason.

use std::time::Duration;

/// The largest request that is read, as Kafka's `socket.request.max.bytes`: a length above it is
/// no request of a real client, and the connection is closed before anything is allocated.
pub(crate) const MAX_REQUEST_BYTES: usize = 100 << 20;

/// The most connections at a time unless configured. Every one costs two tasks and a few KiB;
/// a machine's worth of services and tools stays far below.
pub(crate) const MAX_CONNECTIONS: usize = 1_000;

/// Kafka's `connections.max.idle.ms`: clients expect to be dropped after it and reconnect.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
