//! Produce (key 0): appends record batches.
//!
//! Versions 0 to 2 (message formats before 2) are advertised and refused; see `api.rs`. From v3 on
//! a partition's records are exactly one batch of format 2. The batch is appended when it is the
//! request's turn; the answer waits until it is as durable as promised, while the connection goes
//! on. With acks=0 there is no answer, and an error closes the connection, as in Kafka: it is all
//! the client will ever learn. acks=1 and acks=all are the same on a single node.
//!
//! Left out: transactions. A transactional id or a transactional batch is refused.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use tidings_log::batch::{self, BatchError};
use tidings_log::{AppendError, Appended};
use tokio::time::{Instant, timeout_at};

use crate::partition::{NotAppended, NotDurable, Partition, PartitionId};
use crate::shared::{Client, Shared};
use crate::topics::Topic;

pub(crate) const VERSIONS: RangeInclusive<i16> = 3..=11;

/// What became of one partition's batch so far.
struct Outcome {
    index: i32,
    appended: Result<(Arc<Partition>, Appended), Failure>,
}

/// Why a batch is not acknowledged, with a sentence for versions that have a field for it.
#[derive(Debug, Clone)]
struct Failure {
    error: ResponseError,
    message: String,
}

/// Batches that were appended and wait for the disk.
pub(crate) struct Pending {
    topics: Vec<(TopicName, Vec<Outcome>)>,
    deadline: Instant,
}

/// Appends what the request holds. Blocks no longer than writing into the page cache does.
pub(crate) fn append(broker: &Shared, client: &Client, request: ProduceRequest) -> Pending {
    let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    let refused = refuse_all(&request);
    if let Some(failure) = &refused {
        tracing::warn!(peer = %client.addr, client = %client.id, "{}", failure.message);
    }
    let now_ms = broker.clock.now_ms();
    let topics = request.topic_data.into_iter().map(|data| {
        let topic = broker.topics.find(&data.name);
        let outcomes = data.partition_data.into_iter().map(|partition| {
            let index = partition.index;
            let appended = match &refused {
                Some(failure) => Err(failure.clone()),
                None => append_one(broker, topic.as_deref(), partition, now_ms),
            };
            Outcome { index, appended }
        });
        // A copy: the name as it came would keep the whole frame, a megabyte, until the answer is
        // out, and the connection could not read its next request into the same memory.
        let name = TopicName(StrBytes::from_string(data.name.to_string()));
        (name, outcomes.collect())
    });
    Pending { topics: topics.collect(), deadline }
}

impl Pending {
    /// The first failure: all that a client without acknowledgements can be told.
    pub(crate) fn failure(&self) -> Option<String> {
        let mut outcomes = self.topics.iter().flat_map(|(_, outcomes)| outcomes);
        outcomes.find_map(|outcome| outcome.appended.as_ref().err()).map(|f| f.message.clone())
    }

    /// Waits until everything is durable, or known not to be.
    pub(crate) async fn response(self) -> ProduceResponse {
        let mut responses = Vec::with_capacity(self.topics.len());
        for (name, outcomes) in self.topics {
            let mut partitions = Vec::with_capacity(outcomes.len());
            for outcome in outcomes {
                partitions.push(acknowledge(outcome, self.deadline).await);
            }
            responses.push(
                TopicProduceResponse::default()
                    .with_name(name)
                    .with_partition_responses(partitions),
            );
        }
        ProduceResponse::default().with_responses(responses)
    }
}

/// What is wrong with the request as a whole.
fn refuse_all(request: &ProduceRequest) -> Option<Failure> {
    if request.transactional_id.is_some() {
        return Some(Failure {
            error: ResponseError::TransactionalIdAuthorizationFailed,
            message: "this embedded broker does not offer transactions; use Apache Kafka".into(),
        });
    }
    if !(-1..=1).contains(&request.acks) {
        let message = format!("acks must be 0, 1 or -1, not {}", request.acks);
        return Some(Failure { error: ResponseError::InvalidRequiredAcks, message });
    }
    None
}

fn append_one(
    broker: &Shared,
    topic: Option<&Topic>,
    data: PartitionProduceData,
    now_ms: i64,
) -> Result<(Arc<Partition>, Appended), Failure> {
    #[cfg(feature = "mutants")]
    let data = {
        let index = crate::mutants::index(data.index);
        data.with_index(index)
    };
    let found = topic.and_then(|topic| {
        Some((topic.partition(PartitionId(data.index))?, topic.settings().max_message_bytes()))
    });
    let Some((partition, max_bytes)) = found else {
        let message = "This server does not host this topic-partition.".to_owned();
        return Err(Failure { error: ResponseError::UnknownTopicOrPartition, message });
    };
    let records = data.records.unwrap_or_default();
    check(&records, max_bytes)?;
    let bytes = records.len();
    if !broker.reserve.admits(bytes) {
        let message = "the disk is full, but for what is kept for committed offsets: no records \
                       are taken until space is freed";
        tracing::warn!("{message}");
        return Err(Failure { error: ResponseError::KafkaStorageError, message: message.into() });
    }
    #[cfg(not(feature = "mutants"))]
    let appended = partition.append(&records, now_ms);
    #[cfg(feature = "mutants")]
    let appended = crate::mutants::append(&partition, &records, now_ms);
    match appended {
        Ok(appended) => {
            broker.memory.appended(bytes);
            Ok((partition, appended))
        }
        Err(error) => {
            if matches!(error, NotAppended::Log(AppendError::DiskFull { .. })) {
                broker.reserve.look_again();
            }
            Err(refused(&error))
        }
    }
}

fn check(records: &Bytes, max_bytes: usize) -> Result<(), Failure> {
    let invalid = |message: &str| Failure {
        error: ResponseError::InvalidRecord,
        message: message.to_owned(),
    };
    let valid = batch::validate(records, max_bytes).map_err(|error| invalid_batch(&error))?;
    if valid.batches != 1 {
        return Err(invalid("a partition's records must be exactly one record batch"));
    }
    if valid.first.is_transactional() {
        let message = "this embedded broker does not offer transactions; use Apache Kafka".into();
        return Err(Failure { error: ResponseError::TransactionalIdAuthorizationFailed, message });
    }
    Ok(())
}

fn invalid_batch(error: &BatchError) -> Failure {
    let code = match error {
        BatchError::TooLarge { .. } => ResponseError::MessageTooLarge,
        BatchError::Crc { .. } => ResponseError::CorruptMessage,
        BatchError::Compression(_) => ResponseError::UnsupportedCompressionType,
        _ => ResponseError::InvalidRecord,
    };
    Failure { error: code, message: error.to_string() }
}

fn refused(error: &NotAppended) -> Failure {
    let NotAppended::Log(error) = error else { return gone() };
    let code = match error {
        AppendError::Invalid(error) => return invalid_batch(error),
        AppendError::OutOfOrderSequence { .. } => ResponseError::OutOfOrderSequenceNumber,
        AppendError::DuplicateSequence { .. } => ResponseError::DuplicateSequenceNumber,
        AppendError::InvalidProducerEpoch { .. } => ResponseError::InvalidProducerEpoch,
        // Clients take a storage error as "not stored here, look for the leader and retry": both
        // librdkafka and Java do so until the message's own timeout.
        _ => ResponseError::KafkaStorageError,
    };
    if code == ResponseError::KafkaStorageError {
        tracing::warn!(%error, "records refused");
    }
    Failure { error: code, message: error.to_string() }
}

fn gone() -> Failure {
    let message = "The topic was deleted, or the broker stops.".to_owned();
    Failure { error: ResponseError::UnknownTopicOrPartition, message }
}

async fn acknowledge(outcome: Outcome, deadline: Instant) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default()
        .with_index(outcome.index)
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
        .with_error_message(None);
    let durable = match outcome.appended {
        Ok((partition, appended)) => {
            match timeout_at(deadline, partition.durable(appended.last_offset.next())).await {
                Ok(Ok(())) => Ok(appended),
                Ok(Err(NotDurable::Gone)) => Err(gone()),
                Ok(Err(NotDurable::Fenced)) => Err(Failure {
                    error: ResponseError::KafkaStorageError,
                    message: "The record could not be made durable.".into(),
                }),
                Err(_) => Err(Failure {
                    error: ResponseError::RequestTimedOut,
                    message: "The disk did not confirm the record in time.".into(),
                }),
            }
        }
        Err(failure) => Err(failure),
    };
    match durable {
        Ok(appended) => response
            .with_base_offset(appended.base_offset.value())
            .with_log_append_time_ms(appended.log_append_time.unwrap_or(-1))
            .with_log_start_offset(appended.log_start.value()),
        Err(failure) => response
            .with_error_code(failure.error.code())
            .with_error_message(Some(StrBytes::from_string(failure.message))),
    }
}
