//! Bounds of publishing, each with its reason.

use std::time::Duration;

/// Memory for events that are taken and not acknowledged; whoever publishes more waits. At 100,000
/// events per second of 1 KiB this bridges half a second without a broker, and no service notices
/// it in its memory.
pub(super) const QUEUE_BYTES: u32 = 64 * 1024 * 1024;

/// What an event costs beside its own bytes in librdkafka's structures and ours (measured: about
/// 500 bytes with ten headers): it bounds the queue to some 130,000 empty events.
pub(super) const OVERHEAD_BYTES: usize = 512;

/// How long connecting waits for the first broker to answer. A broker on the same machine needs
/// milliseconds, a cluster behind name resolution and TLS a second or two; whoever mistyped an
/// address should not wait for longer.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Room that the record format and the request around a record take at most (KIP-98's batch
/// header, attributes, length fields), so that a record that passes here passes in the broker.
pub(super) const FRAMING_BYTES: usize = 512;
