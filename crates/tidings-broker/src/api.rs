//! The table of what this broker can be asked: key, versions, handler; and the way through it.
//!
//! One file per API key in `api/`, each with `VERSIONS` and `handle`. A key or a version that is
//! not in the table is not advertised and not served. To add a key: its file, its `mod` line, its
//! line in the table, its layout in `wire/layouts.rs`.

use std::ops::RangeInclusive;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request};

use crate::shared::{Client, Shared};
use crate::wire::Response;

mod alter_configs;
pub(crate) mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod epoch;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;

/// One line of the table.
pub(crate) struct Api {
    /// Kafka's number for this API.
    pub(crate) key: i16,
    /// Kafka's name for it.
    pub(crate) name: &'static str,
    /// The versions that are served.
    pub(crate) versions: RangeInclusive<i16>,
    /// The versions that are advertised: the served ones, but for Produce.
    pub(crate) advertised: RangeInclusive<i16>,
}

/// A request that the guard let through, still encoded.
pub(crate) struct Call {
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) body: Bytes,
}

/// The request cannot be served and the connection is of no further use; says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unserved(pub(crate) String);

macro_rules! apis {
    (
        shaped { $($shaped:ident: $shaped_request:ident,)* }
        plain { $($module:ident: $request:ident,)* }
    ) => {
        /// Every API that is served, in the order of the table.
        pub(crate) const TABLE: &[Api] = &[
            $(Api {
                key: $shaped_request::KEY,
                name: stringify!($shaped),
                versions: $shaped::VERSIONS,
                advertised: advertised($shaped_request::KEY, $shaped::VERSIONS),
            },)*
            $(Api {
                key: $request::KEY,
                name: stringify!($module),
                versions: $module::VERSIONS,
                advertised: advertised($request::KEY, $module::VERSIONS),
            },)*
        ];

        /// Serves a request whose key and version are in the table; Produce is served by
        /// [`produce()`].
        pub(crate) fn dispatch<'a>(
            broker: &'a Shared,
            client: &'a Client,
            key: i16,
            call: Call,
        ) -> BoxFuture<'a, Result<Response, Unserved>> {
            match key {
                FetchRequest::KEY => Box::pin(async move {
                    let request = decode::<FetchRequest>(call.body, call.version)?;
                    Ok(fetch::answer(broker, call.correlation_id, call.version, request).await)
                }),
                $($request::KEY => Box::pin(async move {
                    let request = decode::<$request>(call.body, call.version)?;
                    let response = $module::handle(broker, client, call.version, request).await;
                    encode::<$request>(call.correlation_id, call.version, &response)
                }),)*
                other => Box::pin(async move {
                    Err(Unserved(format!("no handler for the API key {other}")))
                }),
            }
        }

        /// Decodes a request only to see whether it can be.
        #[cfg(any(test, feature = "fuzzing"))]
        pub(crate) fn decode_only(key: i16, version: i16, body: &mut Bytes) -> Result<(), String> {
            fn only<R: Request>(version: i16, body: &mut Bytes) -> Result<(), String> {
                R::decode(body, version).map(drop).map_err(|error| error.to_string())
            }
            match key {
                $($shaped_request::KEY => only::<$shaped_request>(version, body),)*
                $($request::KEY => only::<$request>(version, body),)*
                other => Err(format!("no codec for the API key {other}")),
            }
        }
    };
}

apis! {
    shaped {
        produce: ProduceRequest,
        fetch: FetchRequest,
    }
    plain {
        list_offsets: ListOffsetsRequest,
        metadata: MetadataRequest,
        api_versions: ApiVersionsRequest,
        create_topics: CreateTopicsRequest,
        delete_topics: DeleteTopicsRequest,
        delete_records: DeleteRecordsRequest,
        init_producer_id: InitProducerIdRequest,
        offset_for_leader_epoch: OffsetForLeaderEpochRequest,
        describe_configs: DescribeConfigsRequest,
        alter_configs: AlterConfigsRequest,
        create_partitions: CreatePartitionsRequest,
        incremental_alter_configs: IncrementalAlterConfigsRequest,
        find_coordinator: FindCoordinatorRequest,
        join_group: JoinGroupRequest,
        sync_group: SyncGroupRequest,
        heartbeat: HeartbeatRequest,
        leave_group: LeaveGroupRequest,
        offset_commit: OffsetCommitRequest,
        offset_fetch: OffsetFetchRequest,
        describe_groups: DescribeGroupsRequest,
        list_groups: ListGroupsRequest,
        delete_groups: DeleteGroupsRequest,
        offset_delete: OffsetDeleteRequest,
        describe_cluster: DescribeClusterRequest,
    }
}

/// Appends what a Produce request holds, now; the promise is its answer, once that is known to be
/// durable. `None` where the client wants no answer.
///
/// # Errors
/// When the request is malformed, or failed without the client wanting to be told otherwise.
pub(crate) fn produce(
    broker: &Shared,
    client: &Client,
    call: Call,
) -> Result<Option<BoxFuture<'static, Option<Response>>>, Unserved> {
    let Call { version, correlation_id, body } = call;
    let request = decode::<ProduceRequest>(body, version)?;
    let wants_answer = request.acks != 0;
    let pending = produce::append(broker, client, request);
    if !wants_answer {
        return match pending.failure() {
            Some(why) => Err(Unserved(format!("a produce without acknowledgement failed: {why}"))),
            None => Ok(None),
        };
    }
    Ok(Some(Box::pin(async move {
        let response = pending.response().await;
        match encode::<ProduceRequest>(correlation_id, version, &response) {
            Ok(response) => Some(response),
            Err(error) => {
                tracing::error!(%error, "an answer is lost");
                None
            }
        }
    })))
}

/// The line of the table for `key`.
pub(crate) fn find(key: i16) -> Option<&'static Api> {
    TABLE.iter().find(|api| api.key == key)
}

/// librdkafka up to 2.11.0 silently stops compressing unless Produce is listed from version 0
/// (KAFKA-18659), so Apache Kafka lists 0 to 2 and refuses them, and so do we.
const fn advertised(key: i16, served: RangeInclusive<i16>) -> RangeInclusive<i16> {
    if key == ApiKey::Produce as i16 { 0..=*served.end() } else { served }
}

fn decode<R: Request>(mut body: Bytes, version: i16) -> Result<R, Unserved> {
    R::decode(&mut body, version)
        .map_err(|error| Unserved(format!("the body of API key {} is malformed: {error}", R::KEY)))
}

fn encode<R: Request>(
    correlation_id: i32,
    version: i16,
    response: &R::Response,
) -> Result<Response, Unserved> {
    let header = R::Response::header_version(version);
    Response::encode(correlation_id, header, |out| response.encode(out, version))
        .map_err(|error| Unserved(format!("cannot encode the answer to key {}: {error}", R::KEY)))
}
