//! The table of what this broker can be asked: key, versions, handler; and the way through it.
//!
//! One file per API key in `api/`, each with `VERSIONS` and `handle`. A key or a version that is
//! not in the table is not advertised and not served. To add a key: its file, its `mod` line, its
//! line in the table, its layout in `wire/layouts.rs`.

use std::ops::RangeInclusive;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request};

use crate::shared::{Client, Shared};
use crate::wire::Response;

mod api_versions;

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
    ($($module:ident: $request:ident,)*) => {
        /// Every API that is served, in the order of the table.
        pub(crate) const TABLE: &[Api] = &[$(Api {
            key: $request::KEY,
            name: stringify!($module),
            versions: $module::VERSIONS,
            advertised: advertised($request::KEY, $module::VERSIONS),
        },)*];

        /// Serves a request whose key and version are in the table, but for those two whose shape
        /// differs: see [`produce`] and [`fetch`].
        pub(crate) fn dispatch<'a>(
            broker: &'a Shared,
            client: &'a Client,
            key: i16,
            call: Call,
        ) -> BoxFuture<'a, Result<Response, Unserved>> {
            match key {
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
    };
}

apis! {
    api_versions: ApiVersionsRequest,
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
