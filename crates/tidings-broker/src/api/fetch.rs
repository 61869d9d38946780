//! Fetch (key 1): reads record batches, and waits for them.
//!
//! A fetch that finds too little registers with its partitions and is woken by an append that
//! became durable, by deletion and by the broker's stop; it never polls. Records are whole batches
//! as they were appended, sent as chunks of their own. Everything below the high watermark is
//! visible; there are no transactions, so both isolation levels see the same.
//!
//! Fetch sessions (KIP-227) are not kept: the session id is always 0, and clients then send full
//! requests. No data is an empty record set, not null, which librdkafka would reject.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::FetchPartition;
use tidings_log::Offset;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::api::epoch;
use crate::limits::{COPIED_RECORDS_BYTES, MAX_FETCH_BYTES, MAX_FETCH_WAIT};
use crate::partition::{Bounds, NotRead, Partition, PartitionId, Planned};
use crate::shared::Shared;
use crate::wire::Response;

pub(crate) const VERSIONS: RangeInclusive<i16> = 4..=12;

/// The first version with compact lengths and tagged fields.
const FLEXIBLE_FROM: i16 = 12;

/// One partition that is asked for.
struct Target<'a> {
    wanted: &'a FetchPartition,
    partition: Option<Arc<Partition>>,
}

/// What one partition has to say.
struct Found {
    error: i16,
    bounds: Option<Bounds>,
    records: Bytes,
}

/// Answers one request, waiting as long as it allows.
pub(crate) async fn answer(
    broker: &Shared,
    correlation_id: i32,
    version: i16,
    request: FetchRequest,
) -> Response {
    if request.session_id != 0 {
        let error = ResponseError::FetchSessionIdNotFound.code();
        return encode(correlation_id, version, error, &[], &[]);
    }
    let targets = targets(broker, &request);
    let deadline = Instant::now() + wait_of(&request);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0).min(MAX_FETCH_BYTES);
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_FETCH_BYTES);
    if !ready(&targets, min_bytes) {
        wait_until_ready(&targets, min_bytes, deadline).await;
    }
    let found = read(&targets, max_bytes).await;
    encode(correlation_id, version, 0, &topics_of(&request), &found)
}

fn targets<'a>(broker: &Shared, request: &'a FetchRequest) -> Vec<Target<'a>> {
    let mut targets = Vec::new();
    for topic in &request.topics {
        let known = broker.topics.find(&topic.topic);
        targets.extend(topic.partitions.iter().map(|wanted| Target {
            wanted,
            partition: known.as_ref().and_then(|t| t.partition(PartitionId(wanted.partition))),
        }));
    }
    targets
}

fn wait_of(request: &FetchRequest) -> Duration {
    let wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0);
    Duration::from_millis(wait_ms).min(MAX_FETCH_WAIT)
}

/// Whether there is enough to answer now: bytes (by the average size of the partition's records),
/// or an error, which a client should learn at once.
fn ready(targets: &[Target<'_>], min_bytes: usize) -> bool {
    let mut bytes = 0;
    for target in targets {
        match plan(target, MAX_FETCH_BYTES) {
            Ok(planned) => bytes += planned.likely_bytes(),
            Err(_) => return true,
        }
    }
    bytes >= min_bytes
}

async fn wait_until_ready(targets: &[Target<'_>], min_bytes: usize, deadline: Instant) {
    let notify = Arc::new(Notify::new());
    let partitions = targets.iter().filter_map(|target| target.partition.as_ref());
    let _watching: Vec<_> =
        partitions.map(|partition| partition.watchers().watch(notify.clone())).collect();
    // Registered before looking: what happens in between leaves its mark in `notify`.
    while !ready(targets, min_bytes) {
        if timeout_at(deadline, notify.notified()).await.is_err() {
            return;
        }
    }
}

async fn read(targets: &[Target<'_>], max_bytes: usize) -> Vec<Found> {
    let mut found = Vec::with_capacity(targets.len());
    let mut left = max_bytes;
    let mut first = true;
    for target in targets {
        let wanted = usize::try_from(target.wanted.partition_max_bytes).unwrap_or(0).min(left);
        // The first batch comes even if it alone is above the limits: else a client whose limit is
        // below a batch's size would stand still for ever (KIP-74).
        let result = if wanted > 0 || first {
            read_one(target, wanted).await
        } else {
            plan(target, 0).map(|planned| (planned.bounds, Bytes::new()))
        };
        let one = match result {
            Ok((bounds, records)) => Found { error: 0, bounds: Some(bounds), records },
            // As Kafka: an answer that is an error tells no bounds.
            Err(error) => Found { error: error.code(), bounds: None, records: Bytes::new() },
        };
        first &= one.records.is_empty();
        left = left.saturating_sub(one.records.len());
        found.push(one);
    }
    found
}

async fn read_one(target: &Target<'_>, max_bytes: usize) -> Result<(Bounds, Bytes), ResponseError> {
    loop {
        let planned = plan(target, max_bytes)?;
        let bounds = planned.bounds;
        match planned.read().await {
            #[cfg(feature = "mutants")]
            Ok(records) => return Ok((bounds, crate::mutants::served(records))),
            #[cfg(not(feature = "mutants"))]
            Ok(records) => return Ok((bounds, records)),
            // Retention took the segment away in between: the start has moved, plan again.
            Err(error) if error.kind() == io::ErrorKind::NotFound && moved(target, bounds) => {}
            Err(error) => {
                tracing::error!(partition = target.wanted.partition, %error, "cannot read records");
                return Err(ResponseError::KafkaStorageError);
            }
        }
    }
}

fn moved(target: &Target<'_>, before: Bounds) -> bool {
    let now = target.partition.as_ref().map(|partition| partition.bounds());
    !matches!(now, Some(Ok(bounds)) if bounds.start == before.start)
}

fn plan(target: &Target<'_>, max_bytes: usize) -> Result<Planned, ResponseError> {
    let unknown = ResponseError::UnknownTopicOrPartition;
    let Some(partition) = &target.partition else { return Err(unknown) };
    epoch::check(target.wanted.current_leader_epoch)?;
    match partition.plan_read(Offset(target.wanted.fetch_offset), max_bytes) {
        Ok(planned) => Ok(planned),
        Err(NotRead::OutOfRange) => Err(ResponseError::OffsetOutOfRange),
        Err(NotRead::Closed) => Err(unknown),
    }
}

/// The topics of the request with the number of their partitions: the shape of the answer.
fn topics_of(request: &FetchRequest) -> Vec<(&str, Vec<i32>)> {
    let partitions = |topic: &'_ [FetchPartition]| topic.iter().map(|p| p.partition).collect();
    request.topics.iter().map(|topic| (&*topic.topic.0, partitions(&topic.partitions))).collect()
}

/// Encodes by hand, after Kafka's FetchResponse.json: the generated encoder would copy the records
/// into the message.
fn encode(
    correlation_id: i32,
    version: i16,
    error: i16,
    topics: &[(&str, Vec<i32>)],
    found: &[Found],
) -> Response {
    let mut out = Encoder::new(version >= FLEXIBLE_FROM);
    out.head.put_i32(correlation_id);
    out.tags();
    out.head.put_i32(0); // throttled for 0 ms
    if version >= 7 {
        out.head.put_i16(error);
        out.head.put_i32(0); // no session
    }
    out.count(topics.len());
    let mut found = found.iter();
    for (name, partitions) in topics {
        out.text(name);
        out.count(partitions.len());
        for (index, found) in partitions.iter().zip(&mut found) {
            out.partition(version, *index, found);
        }
        out.tags();
    }
    out.tags();
    Response::from_chunks(out.finish())
}

/// Writes fields in the classic or the compact form, and records as chunks of their own.
struct Encoder {
    flexible: bool,
    head: BytesMut,
    chunks: Vec<Bytes>,
}

impl Encoder {
    fn new(flexible: bool) -> Encoder {
        Encoder { flexible, head: BytesMut::with_capacity(512), chunks: Vec::new() }
    }

    fn partition(&mut self, version: i16, index: i32, found: &Found) {
        let (start, high_watermark) =
            found.bounds.map_or((-1, -1), |b| (b.start.value(), b.high_watermark.value()));
        self.head.put_i32(index);
        self.head.put_i16(found.error);
        self.head.put_i64(high_watermark);
        self.head.put_i64(high_watermark); // last stable offset
        if version >= 5 {
            self.head.put_i64(start);
        }
        // Aborted transactions: null.
        if self.flexible {
            self.head.put_u8(0)
        } else {
            self.head.put_i32(-1)
        }
        if version >= 11 {
            self.head.put_i32(-1); // preferred read replica
        }
        self.count(found.records.len());
        if found.records.len() <= COPIED_RECORDS_BYTES {
            self.head.put_slice(&found.records);
        } else {
            self.chunks.push(self.head.split().freeze());
            self.chunks.push(found.records.clone());
        }
        self.tags();
    }

    fn text(&mut self, text: &str) {
        if self.flexible {
            self.varint(text.len() + 1);
        } else {
            let length = i16::try_from(text.len()).expect("the request's own name fits");
            self.head.put_i16(length);
        }
        self.head.put_slice(text.as_bytes());
    }

    /// The length of an array or of bytes.
    fn count(&mut self, count: usize) {
        if self.flexible {
            self.varint(count + 1);
        } else {
            self.head.put_i32(i32::try_from(count).expect("bounded by the limits on answers"));
        }
    }

    /// No tagged fields.
    fn tags(&mut self) {
        if self.flexible {
            self.head.put_u8(0);
        }
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.head.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.head.put_u8(value as u8);
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.chunks.push(self.head.freeze());
        self.chunks
    }
}

#[cfg(test)]
mod tests;
